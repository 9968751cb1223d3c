-- raw: landing tables of the shop database, as the shop has them. One row per source row; primary keys start with the
-- tenant. Columns without an underscore are the shop's (times as instants, integers and decimals as wide as they come);
-- those with one are the warehouse's. `_extra` holds columns that the shop has and this release does not know.

alter table ops.tenant add column shop jsonb;
comment on column ops.tenant.shop is 'Shop database: dsn without password, password_secret (name of the secret), timezone of its times; null: the tenant has none';

create table raw.customers (
    tenant_id text not null,
    id bigint not null,
    name text,
    email text,
    phone text,
    address text,
    crm_id text,
    created_at timestamptz,
    updated_at timestamptz not null,
    _extra jsonb,
    _etl_loaded_at timestamptz not null default now(),
    _etl_run_id text,
    _deleted_at timestamptz,
    primary key (tenant_id, id)
);
comment on table raw.customers is 'One row per customer account of the shop; _deleted_at: when the warehouse saw that the shop no longer has it';

create table raw.products (
    tenant_id text not null,
    id bigint not null,
    sku text,
    name text,
    description text,
    price numeric,
    currency text,
    category text,
    category_id bigint,
    brand text,
    stock_quantity bigint,
    created_at timestamptz,
    updated_at timestamptz not null,
    _extra jsonb,
    _etl_loaded_at timestamptz not null default now(),
    _etl_run_id text,
    _deleted_at timestamptz,
    primary key (tenant_id, id)
);
comment on table raw.products is 'One row per product of the shop; _deleted_at: when the warehouse saw that the shop no longer has it';

create table raw.orders (
    tenant_id text not null,
    id bigint not null,
    order_number text,
    customer_id bigint,
    order_date timestamptz,
    status text,
    channel text,
    currency text,
    total_amount numeric,
    promotion_id bigint,
    shipping_address text,
    created_at timestamptz,
    updated_at timestamptz not null,
    _extra jsonb,
    _etl_loaded_at timestamptz not null default now(),
    _etl_run_id text,
    _deleted_at timestamptz,
    primary key (tenant_id, id)
);
create index orders_customer on raw.orders (tenant_id, customer_id);
comment on table raw.orders is 'One row per order of the shop; _deleted_at: when the warehouse saw that the shop no longer has it';

create table raw.order_items (
    tenant_id text not null,
    id bigint not null,
    order_id bigint,
    product_id bigint,
    quantity bigint,
    unit_price numeric,
    created_at timestamptz,
    updated_at timestamptz not null,
    _extra jsonb,
    _etl_loaded_at timestamptz not null default now(),
    _etl_run_id text,
    _deleted_at timestamptz,
    primary key (tenant_id, id)
);
create index order_items_order on raw.order_items (tenant_id, order_id);
comment on table raw.order_items is 'One row per line of an order; _deleted_at: when the warehouse saw that the shop no longer has it';

create table raw.categories (
    tenant_id text not null,
    id bigint not null,
    name text,
    parent_id bigint,
    created_at timestamptz,
    updated_at timestamptz not null,
    _extra jsonb,
    _etl_loaded_at timestamptz not null default now(),
    _etl_run_id text,
    _deleted_at timestamptz,
    primary key (tenant_id, id)
);
comment on table raw.categories is 'One row per product category; parent_id names the category above; _deleted_at: when the warehouse saw that the shop no longer has it';

create table raw.reviews (
    tenant_id text not null,
    id bigint not null,
    product_id bigint,
    customer_id bigint,
    rating bigint,
    title text,
    comment text,
    created_at timestamptz,
    updated_at timestamptz not null,
    _extra jsonb,
    _etl_loaded_at timestamptz not null default now(),
    _etl_run_id text,
    _deleted_at timestamptz,
    primary key (tenant_id, id)
);
comment on table raw.reviews is 'One row per product review written in the shop; _deleted_at: when the warehouse saw that the shop no longer has it';

create table raw.promotions (
    tenant_id text not null,
    id bigint not null,
    code text,
    name text,
    discount_percent numeric,
    starts_at timestamptz,
    ends_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz not null,
    _extra jsonb,
    _etl_loaded_at timestamptz not null default now(),
    _etl_run_id text,
    _deleted_at timestamptz,
    primary key (tenant_id, id)
);
comment on table raw.promotions is 'One row per promotion; orders name the one that they used; _deleted_at: when the warehouse saw that the shop no longer has it';

create table raw.events (
    tenant_id text not null,
    id bigint not null,
    customer_id bigint,
    visitor_id text,
    session_id text,
    event_type text,
    product_id bigint,
    order_id bigint,
    event_time timestamptz,
    url text,
    created_at timestamptz,
    updated_at timestamptz not null,
    _extra jsonb,
    _etl_loaded_at timestamptz not null default now(),
    _etl_run_id text,
    _deleted_at timestamptz,
    primary key (tenant_id, id)
);
comment on table raw.events is 'One row per event of the shop''s own pages; _deleted_at: when the warehouse saw that the shop no longer has it';

do $$
declare
    target text;
begin
    foreach target in array array[
        'customers', 'products', 'orders', 'order_items', 'categories', 'reviews', 'promotions', 'events'
    ] loop
        call ops.isolate(format('raw.%I', target)::regclass);
    end loop;
end
$$;
