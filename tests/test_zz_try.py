from cdp_assets.warehouse.connection import Warehouse
from tests.vectored import *
import time
def test_x(postgres, tmp_path_factory):
    t=time.time()
    name=vectored_world(postgres,tmp_path_factory)
    print('world',time.time()-t)
    with Warehouse(postgres.dsn(name,user="cdp_pipeline")) as w:
        t=time.time()
        for k,m in measure(w,"acme").items():
            print(k,m.passed,m.says,m.numbers)
        print('measure',time.time()-t)
        from cdp_assets.embedding.report import vector_table_report
        from cdp_assets.embedding.map import profile_map
        with w.tenant("acme") as conn:
            mo=models.active(conn,"acme")
            for e in ENTITIES.values():
                r=vector_table_report(conn,"acme",e,mo)
                print(r.rows,r.texts,r.norm_min,r.norm_mean,r.norm_max,r.columns); print(r.neighbours)
            p=profile_map(conn,"acme",mo.model_id)
            import base64
            __import__('pathlib').Path('/tmp/map.png').write_bytes(base64.b64decode(p.split('base64,')[1][:-1]))
            print(len(p))
