"""Sentences that nobody looked at when the lexicons were written: how well are unseen reviews read?

Belongs here: hand-written reviews with their truth (-1 bad, 0 neither, 1 good). They share no sentence with the demo
world. Do not add their words to the lexicons to raise a score: write new sentences then.
"""

from __future__ import annotations

VIETNAMESE = (
    (1, "Áo mặc lên rất xinh, vải mát, sẽ ủng hộ shop dài dài"),
    (1, "Mình mua lần thứ ba rồi, lần nào cũng hài lòng"),
    (1, "Giày đi êm chân, đường may chắc chắn, đáng đồng tiền"),
    (1, "Máy chạy êm, xay nhanh, vệ sinh cũng dễ"),
    (1, "Shop gói hàng kỹ lắm, giao đúng hẹn"),
    (1, "Màu son lên môi đẹp, không bị khô"),
    (1, "Nhân viên tư vấn dễ thương, đổi size cho mình rất nhanh"),
    (1, "Không có gì để chê, 10 điểm"),
    (1, "Túi nhỏ gọn, đựng được nhiều đồ, ai nhìn cũng khen"),
    (1, "Cà phê thơm, đậm vị, uống là ghiền"),
    (1, "Đẹpppp xỉu luôn mọi người ơi"),
    (1, "Hàng y hình, form chuẩn, mình cao 1m6 mặc vừa in"),
    (0, "Cũng bình thường, không có gì đặc biệt"),
    (0, "Tiền nào của nấy thôi"),
    (0, "Mới nhận hàng, chưa dùng nên chưa biết thế nào"),
    (0, "Dùng tạm được, không xuất sắc"),
    (0, "Hàng đẹp nhưng giao hơi lâu, đóng gói sơ sài"),
    (0, "Chất vải trung bình, giá cũng trung bình"),
    (-1, "Mua về dùng hai ngày đã hỏng, quá thất vọng"),
    (-1, "Vải mỏng dính, chỉ thừa tùm lum, mặc một lần là bung chỉ"),
    (-1, "Giao sai màu, nhắn tin thì shop không thèm trả lời"),
    (-1, "Kem bôi vào bị nổi mụn, không dám dùng nữa"),
    (-1, "Chờ hơn hai tuần mới nhận được, hộp thì móp méo"),
    (-1, "Đừng mua nhé mọi người, hàng giả đấy"),
    (-1, "Không đẹp như quảng cáo, chất lượng kém"),
    (-1, "Thái độ phục vụ quá tệ, sẽ không quay lại"),
    (-1, "Ấm đun bị rò nước, bảo hành thì đùn đẩy"),
    (-1, "Đắt mà chẳng ra gì"),
    (-1, "Sp lỗi, đc mỗi cái hộp là đẹp, phí tiền"),
    (-1, "Mùi nhựa nồng nặc, khó chịu vô cùng 🤢"),
)

VIETNAMESE_WITHOUT_ACCENTS = (
    (1, "hang dep lam shop oi, se ung ho tiep"),
    (1, "giao nhanh, dong goi chac chan"),
    (1, "chat vai mem mai, mac rat thoai mai"),
    (1, "shop nhiet tinh, tra loi nhanh, cho 5 sao"),
    (1, "dung rat thich, dang tien mua"),
    (1, "san pham chinh hang, minh rat hai long"),
    (1, "ca phe thom ngon, uong rat da"),
    (1, "giay vua chan, di em, gia lai hop ly"),
    (1, "tuyet voi, khong che vao dau duoc"),
    (0, "hang tam on, khong co gi dac biet"),
    (0, "cung binh thuong thoi"),
    (0, "chua dung nen chua biet the nao"),
    (0, "gia trung binh, chat luong trung binh"),
    (-1, "hang qua te, that vong"),
    (-1, "mua ve bi loi, shop khong tra loi"),
    (-1, "giao hang cham, hop bi mop meo"),
    (-1, "ao mong, chat luong kem, phi tien"),
    (-1, "ko giong hinh ti nao, xau qua"),
    (-1, "giao sai mau, goi thi khong nghe may, buc minh"),
    (-1, "lua dao do, dung ai mua"),
    (-1, "dung 3 ngay la hu, te hai"),
)

ENGLISH = (
    (1, "Fits perfectly and the fabric feels wonderful"),
    (1, "Arrived two days early, great packaging"),
    (1, "My daughter loves it, will definitely buy again"),
    (1, "Excellent grinder, quiet and easy to clean"),
    (1, "Customer service was super helpful and solved my problem in minutes"),
    (1, "Best coffee I have had in years!"),
    (1, "Not bad at all, I'm really happy with this jacket"),
    (1, "Sturdy tent, kept us dry in heavy rain"),
    (1, "Exactly as described, good value"),
    (0, "It is okay, nothing special"),
    (0, "Does the job, average quality"),
    (0, "I have not used it yet"),
    (0, "Nice colour but the delivery was slow"),
    (0, "The size is medium and the colour is blue"),
    (-1, "Broke after one week, what a waste of money"),
    (-1, "Terrible smell, had to throw it away"),
    (-1, "The zipper got stuck and then ripped"),
    (-1, "Wrong item was sent and nobody replied to my emails"),
    (-1, "Looks cheap, would not recommend"),
    (-1, "Way too small, and returning it was a nightmare"),
    (-1, "Battery died within a day, very disappointing"),
    (-1, "Worst purchase ever. Never again."),
    (-1, "The screen arrived cracked"),
)

BY_LANGUAGE = {"vi": VIETNAMESE, "vi_noaccent": VIETNAMESE_WITHOUT_ACCENTS, "en": ENGLISH}
