"""Words of praise and complaint in Vietnamese, as people type them in reviews: a lexicon of our own.

Belongs here: stems with their strength, negators, intensifiers, spellings of chat, faces. Does not belong here: how
they are counted (`sentiment`). Strength is on VADER's scale, -4 to 4, so that both languages add up. Stems are written
with accents; the spelling without them is derived, but for words marked `=`, whose bare spelling is another common
word (`kém` poor, `kem` cream).
"""

from __future__ import annotations

STEMS: dict[float, str] = {
    3.2: """
        tuyệt vời, xuất sắc, hoàn hảo, tuyệt hảo, đỉnh cao, đỉnh của chóp, quá đỉnh, mỹ mãn,
        không chê vào đâu được, không thể chê, không thể tốt hơn, không có gì để chê, không có điểm chê,
        khỏi chê, khỏi phải chê, hết chê, vượt mong đợi, trên cả mong đợi, hơn cả mong đợi, trên cả tuyệt vời,
        mê ly, siêu phẩm, cực phẩm, số một=
    """,
    2.6: """
        rất ưng, ưng bụng, ưng ý, yêu thích, mê lắm=, mê=, tuyệt, cực thích, rất hài lòng, đáng đồng tiền,
        đáng tiền, đáng mua, xứng đáng, chất lượng cao, cao cấp, sang trọng, nhiệt tình, tận tâm, chu đáo,
        tận tình, hết ý, xinh xắn, xinh đẹp, đẹp mê, thích mê, 5 sao, năm sao, mười điểm, 10 điểm, sẽ quay lại,
        sẽ mua lại, sẽ ủng hộ, sẽ ủng hộ tiếp, sẽ mua tiếp, sẽ mua nữa, lần sau ủng hộ, ủng hộ dài dài,
        ủng hộ tiếp, đỉnh=
    """,
    2.0: """
        tốt, đẹp, hài lòng, thích, ưng, xinh, rất hay, hay lắm, quá hay, giỏi=, khen, hoan nghênh, ủng hộ,
        tin tưởng, yên tâm, uy tín, chính hãng, hàng thật, hàng chuẩn, chuẩn, nhanh, nhanh chóng, nhanh gọn,
        siêu nhanh, thân thiện, dễ thương, lịch sự, niềm nở, vui vẻ, nhẹ nhàng, cẩn thận, kỹ càng, kĩ càng,
        kỹ lưỡng, chắc chắn, chắc tay, bền=, bền đẹp, bền chắc, êm=, êm ái, êm chân, thoải mái, dễ chịu,
        mềm mại, mềm mịn, mịn=, mịn màng, mát=, thoáng mát, thơm, ngon, thơm ngon, sạch sẽ, sạch=, tươi=,
        tươi mới, rẻ=, giá rẻ, giá tốt, giá hợp lý, giá hợp lí, hợp lý, hợp lí, phải chăng, giá mềm, hời=,
        tiện lợi, tiện dụng, tiện=, hữu ích, hiệu quả, xịn, xịn xò, xịn sò, rất chất, chất lừ, chất lắm,
        quá chất, sắc nét, nét=, sáng đẹp, vừa vặn, vừa khít, vừa người, vừa chân, vừa size, vừa y, vừa ý,
        tôn dáng, hợp dáng, sang=, sang chảnh, nổi bật, tinh tế, gọn gàng, gọn nhẹ, dễ dùng, dễ sử dụng, dễ mặc,
        dễ phối, an toàn, an tâm, nên mua, đáng thử, giới thiệu cho, nguyên vẹn, nguyên seal, đầy đủ, đủ hàng,
        chuyên nghiệp, tư vấn kỹ, trả lời nhanh, phản hồi nhanh, giao nhanh, ship nhanh, hỗ trợ tốt,
        hỗ trợ nhanh, đúng hẹn, đúng giờ, đúng ý, chất lượng tốt, thích hợp, phù hợp, xuất sắc nhất, tự tin,
        thấm nhanh, mướt, mượt, mượt mà, co giãn tốt, bắt mắt, lung linh, đáng yêu, cute, may mắn, biết ơn,
        ấn tượng, hoàn thiện tốt
    """,
    1.0: """
        ổn, khá ổn, ổn áp, đúng mô tả, đúng hàng, đúng mẫu, đúng màu, đúng size, đúng hình, đúng như hình,
        đúng ảnh, giống hình, giống ảnh, giống mô tả, giống mẫu, như hình, như ảnh, như mô tả, như quảng cáo,
        như mong đợi, đúng như mô tả, đúng như mong đợi, y hình, y như hình, y chang, rất được, khá được, ok,
        dùng được, xài được, mặc được, chấp nhận được, mặc vừa, mang vừa, dày dặn, cảm ơn, cám ơn
    """,
    -1.0: """
        hơi thất vọng, không như mong đợi, chưa như mong đợi, lâu=, hơi lâu, giao lâu, mỏng manh, mỏng=, thô=,
        cứng=, sơ sài, qua loa, chật=, rộng quá, chật quá, ngắn quá, dài quá, nhỏ quá, to quá, mỏng quá, nhạt=,
        nhạt nhẽo, đơn điệu, khó dùng, khó sử dụng, khó chịu, khó mặc, bất tiện, nặng mùi, mùi hắc, hắc=,
        chỉ thừa, thừa chỉ, nhăn nhúm, nhăn=, xù lông, xù=, bí=, nóng nực, ngứa, ngứa ngáy, rát=, trơn trượt,
        ồn=, ồn ào, ồn quá, kêu to, yếu=, yếu ớt, xước, trầy xước, trầy=, bong=, bong tróc, bong keo, tróc=,
        phai=, phai màu, ra màu, lem=, loang màu, lệch màu, lệch=, khác hình, khác ảnh, khác mô tả, khác màu,
        khác mẫu, nhàu nát, nhàu, bụi bẩn, bẩn=, dơ=, ố vàng=, cũ kỹ, cũ kĩ, cũ=, đắt=, đắt đỏ, quá đắt,
        giá cao, hơi đắt, mắc quá, hơi mắc, giá chát, giá mắc, phí=, tiếc, tiếc tiền, trả hàng, hoàn hàng,
        hoàn tiền, đòi tiền
    """,
    -1.8: """
        chậm, chậm trễ, chậm chạp, trễ=, trễ hẹn, giao trễ, lâu lắc, quá lâu, rất lâu, lâu quá, chờ mãi,
        đợi mãi, chờ dài cổ, xấu, xấu quá, tệ quá, dở=, dở tệ, dở ẹc, kém=, kém chất lượng, chất lượng kém,
        chất lượng thấp, thua xa, chán=, chán quá, chán ghê, chán nản, nản=, buồn, phí tiền, tốn tiền,
        uổng tiền, uổng=, lãng phí, hỏng=, hư=, hư hỏng, bị hư, hư rồi, hỏng hóc, bị hỏng, lỗi=, bị lỗi,
        hàng lỗi, lỗi hàng, lỗi nặng, móp, móp méo, bị móp, méo=, rách, bị rách, bung chỉ, bung=, sứt chỉ,
        đứt chỉ, nứt=, bị nứt, bể=, vỡ=, bị vỡ, vỡ nát, bị bể, gãy=, bị gãy, thiếu hàng, giao thiếu, gửi thiếu,
        thiếu=, sai hàng, giao sai, gửi sai, sai màu, sai size, sai mẫu, nhầm hàng, giao nhầm, gửi nhầm, nhầm=,
        ẩu, ẩu tả, cẩu thả, cẩu thả quá, bừa bãi, đóng gói sơ sài, rò rỉ, bị chảy, chảy nước, hôi=, mùi hôi,
        hôi mùi, có mùi hôi, mốc=, ẩm mốc, bị mốc, hết hạn, hết date, cận date, kích ứng, dị ứng, nổi mụn,
        không giống hình, không giống ảnh, không giống mô tả, không giống mẫu, không đúng mô tả, không đúng mẫu,
        không như hình, không như mô tả, không đúng màu, không đúng size, không dùng được, không sử dụng được,
        không xài được, không mặc được, không hoạt động, không lên nguồn, không trả lời, không phản hồi,
        không rep, không tư vấn, không hỗ trợ, không giải quyết, không liên lạc được, không nhận được,
        chưa nhận được, chả thấy đâu, thái độ kém, thái độ lồi lõm, khó chịu lắm, cọc cằn, cộc lốc, thờ ơ, chê=,
        phàn nàn, khiếu nại, bực=, bực mình, bực bội, ức chế, tức=, tức giận, giận=, hối hận, hối tiếc,
        mất lòng tin, mất niềm tin, mất uy tín, không đáng, kém xa, 1 sao, một sao, treo đầu dê, khác xa,
        khác hẳn, rởm, dỏm=, đểu=, nhái=, hàng nhái, hàng fake, fake, rẻ tiền, xuống cấp
    """,
    -2.6: """
        tệ, quá tệ, rất tệ, tồi=, tồi tệ, thất vọng, thất vọng tràn trề, quá thất vọng, rất thất vọng, tệ hại,
        kinh khủng, kinh tởm, ghê tởm, khủng khiếp, lừa đảo, lừa=, lừa dối, lừa gạt, gian dối, dối trá, bịp=,
        bịp bợm, hàng giả, giả mạo, vô trách nhiệm, thiếu trách nhiệm, vô trách nhiệm quá, vô văn hóa, mất dạy=,
        láo=, coi thường khách, khinh khách, bom hàng, không bao giờ mua, không bao giờ quay lại, không mua lại,
        không quay lại, đừng mua, đừng ai mua, không nên mua, không đáng tiền, không đáng mua, vứt, vứt đi,
        bỏ đi=, bỏ xó, vứt xó, rác rưởi, như rác, đồ rác, cháy nổ, nguy hiểm, tẩy chay, cạch mặt, cạch=, né=,
        né gấp, một đi không trở lại, không ra gì, chẳng ra gì, chả ra gì, không ra hồn, chẳng ra hồn, chả ra hồn,
        không ra sao, chẳng ra sao, chả ra sao, không đâu vào đâu, chẳng đâu vào đâu
    """,
}
"""Strength -> stems, separated by commas."""

NEUTRAL = """
    bình thường, bình thường thôi, thường thôi, tạm được, tạm ổn, tạm tạm, tạm=, tàm tạm, cũng được, cũng tạm,
    cũng ổn, được thôi, trung bình, vừa phải, không có gì đặc biệt, không quá đặc biệt, không đặc sắc,
    tiền nào của nấy, tiền nào của đó, xài tạm, dùng tạm, chưa biết, chưa dùng, chưa thử, chưa xài, không ý kiến
"""
"""An opinion of its own, and none for or against."""

INNOCENT = """
    chuẩn bị, tiêu chuẩn, chất lượng, chất liệu, sở thích, không chỉ, không những, không biết, không khí,
    lâu dài, bền lâu, dùng lâu, xài lâu, đã lâu, từ lâu, bao lâu, lâu rồi, mua lâu, quá trình, thiếu nữ,
    giày dép, chăm sóc, khuyến mãi, tốt nghiệp, đẹp trai, không gian, không dầu, không dây, thép không gỉ,
    toàn quốc, toàn bộ, có tốt không, bàn chải
"""
"""Words that contain one of these stems and say nothing: they are taken whole, and count for nothing."""

NEGATORS = """
    không, ko, k, kh, hok, hông, hem=, hổng, kg, kô, chẳng, chả=, chưa, đừng=, không phải, không hề, chẳng hề,
    chưa hề, không được, không bị, chưa được, không có, không còn, chớ=, đâu có, hết=
"""

COMPARISONS = """
    đúng mô tả, đúng hàng, đúng mẫu, đúng màu, đúng size, đúng hình, đúng như hình, đúng ảnh, giống hình, giống ảnh,
    giống mô tả, giống mẫu, như hình, như ảnh, như mô tả, như quảng cáo, như mong đợi, đúng như mô tả,
    đúng như mong đợi, y hình, y như hình
"""
"""Stems that compare the goods with what was shown or hoped for."""

JOINS = "và, hay, hoặc, lẫn, cũng như"
"""What carries a negation on to the next stem."""

BEFORE: dict[float, str] = {
    1.3: "rất, rất rất, quá, quá là, cực, cực kỳ, cực kì, siêu, vô cùng, hết sức, thật sự, thực sự, thật là, toàn, max",
    0.8: "khá, khá là, cũng khá, tương đối",
    0.5: "hơi, hơi bị, một chút, chút, có chút, có phần, hơi hơi",
}
"""Intensifiers that stand before what they strengthen or weaken -> factor."""

AFTER: dict[float, str] = {
    1.3: "lắm, quá, cực, cực kỳ, cực kì, vô cùng, ghê, thật sự, thực sự, luôn, dã man, kinh khủng luôn, quá trời",
    0.5: "một chút, chút, tí, một tí, xíu, chút xíu, một xíu",
}
"""Intensifiers that stand behind."""

CONTRAST = (
    "nhưng", "nhưng mà", "nhưng mỗi", "tuy nhiên", "mỗi tội", "có điều", "chỉ có điều", "tiếc là", "chỉ tiếc",
    "thế nhưng", "nhung", "tuy nhien", "moi toi", "chi tiec", "but", "however", "except",
)  # fmt: skip
"""What follows these is what the writer means."""

CHAT = {
    "dc": "được", "đc": "được", "đuợc": "được", "dk": "được", "nv": "nhân viên", "sp": "sản phẩm", "oke": "ok",
    "okie": "ok", "okela": "ok", "oki": "ok", "uki": "ok", "ntn": "như thế nào", "z": "vậy", "v": "vậy", "vs": "với",
    "j": "gì", "bt": "bình thường", "bth": "bình thường", "bthg": "bình thường", "ko": "không", "k": "không",
    "kh": "không", "hok": "không", "kg": "không", "cx": "cũng", "cg": "cũng", "đt": "điện thoại",
    "tks": "cảm ơn", "thks": "cảm ơn", "thank": "cảm ơn", "thanks": "cảm ơn", "iu": "yêu",
    "thik": "thích", "thjk": "thích", "thíc": "thích", "xjnh": "xinh", "đep": "đẹp", "qá": "quá", "wá": "quá",
    "wa": "quá", "lm": "lắm", "nhah": "nhanh", "nhanhh": "nhanh", "good": "tốt", "nice": "tốt",
    "perfect": "hoàn hảo", "bad": "tệ", "best": "tuyệt vời", "cl": "chất lượng", "rep": "trả lời", "reply": "trả lời",
    "ib": "nhắn tin",
}  # fmt: skip
"""Spellings of chat -> the word; read in Vietnamese clauses only."""

FACES: dict[float, str] = {
    2.5: "😍🥰😘💖💕💯🤩❤♥💗💓💞💝😻🏆🌹",
    1.8: "👍😊😁😀😃😄😆🙌👏💪🌟⭐✨🥳😋☺😇🤗👌🎉🙏🔥",
    0.4: "🙂😉😅😌",
    0.0: "😐😑🤔😶🫤",
    -1.0: "🙁☹😕😟🥲😓🤨😒🙄",
    -2.0: "👎😞😔😢😭😩😫😖😣😤💔😿",
    -2.8: "😡😠🤬🤮🤢💩🖕😾",
}
"""Strength -> faces and signs; skin tones and variants are left off before."""

INSULTS = """
    đồ chó, chó má, óc chó, mất dạy, vô học, khốn nạn, khốn kiếp, đểu cáng, bố láo, láo toét, cút đi, mẹ kiếp,
    vãi lồn, vcl, vkl, đm, đmm, dmm, vl, đéo, địt, cứt, ngu, ngu dốt, thằng ngu, con ngu, súc vật, lũ lừa đảo,
    bọn lừa đảo, fuck, fucking, shit, bullshit, idiot, idiots, stupid, moron, bastard, asshole, scumbag, crap,
    bitch, damn
"""
"""Insults and curses of both languages; without accents only where the bare spelling means nothing else."""
