"""Words of the demo world in Vietnamese and English: names, places, jobs, goods, opinions.

Belongs here: literal vocabulary with its weights. Does not belong here: any drawing or grammar beyond the word.
Nobody here exists: domains are example ones, phone numbers are put together at random.
"""

from __future__ import annotations

from cdp_assets.demo.dice import Weighted
from cdp_assets.demo.model import Category, Place

# Real shares of Vietnamese surnames, in per cent.
SURNAMES_VI = Weighted(
    [
        ("Nguyễn", 38.4), ("Trần", 11.0), ("Lê", 9.5), ("Phạm", 7.1), ("Hoàng", 3.1), ("Huỳnh", 2.0),
        ("Phan", 4.5), ("Vũ", 2.2), ("Võ", 1.7), ("Đặng", 2.1), ("Bùi", 2.0), ("Đỗ", 1.4), ("Hồ", 1.3),
        ("Ngô", 1.3), ("Dương", 1.0), ("Lý", 0.5),
    ]
)  # fmt: skip
MIDDLE_VI_FEMALE = ("Thị", "Ngọc", "Thu", "Thanh", "Minh", "Bảo", "Kim", "Mỹ", "")
MIDDLE_VI_MALE = ("Văn", "Hữu", "Đức", "Quang", "Minh", "Thành", "Công", "Xuân", "")
GIVEN_VI_FEMALE = (
    "Lan", "Hương", "Trang", "Linh", "Mai", "Thảo", "Hạnh", "Yến", "Ngân", "Phượng", "Vy", "Quỳnh", "Ánh", "Diệp",
)  # fmt: skip
GIVEN_VI_MALE = (
    "Anh", "Hùng", "Dũng", "Tuấn", "Nam", "Long", "Phúc", "Khoa", "Đạt", "Việt", "Sơn", "Bình", "Huy", "Trí",
)  # fmt: skip
SURNAMES_EN = (
    "Smith", "Johnson", "O'Brien", "Garcia", "Miller", "Nguyen", "Taylor", "Clark", "Lewis", "Walker", "Young",
    "Van Dyke", "Müller", "Silva",
)  # fmt: skip
GIVEN_EN_FEMALE = ("Emma", "Olivia", "Ava", "Mia", "Sofía", "Grace", "Zoë", "Hannah", "Chloe", "Mary-Ann")
GIVEN_EN_MALE = ("Liam", "Noah", "James", "Lucas", "Ethan", "Jack", "René", "Daniel", "Owen", "Samuel")

PLACES_VI = Weighted(
    [
        (Place("Vietnam", "Vietnamese", "Hồ Chí Minh", "Thành phố Hồ Chí Minh", "Quận 1", "Bến Nghé", "700000",
               "7P28QPG4+P5"), 38.0),
        (Place("Vietnam", "Vietnamese", "Hà Nội", "Hà Nội", "Hoàn Kiếm", "Hàng Bạc", "100000",
               "7PH72RM2+X4"), 30.0),
        (Place("Vietnam", "Vietnamese", "Đà Nẵng", "Đà Nẵng", "Hải Châu", "Thạch Thang", "550000",
               "7P9J36C9+8Q"), 12.0),
        (Place("Vietnam", "Vietnamese", "Cần Thơ", "Cần Thơ", "Ninh Kiều", "Tân An", "900000", "7P272Q5P+2G"), 8.0),
        (Place("Vietnam", "Vietnamese", "Bà Rịa - Vũng Tàu", "Vũng Tàu", "", "Phường 2", "790000", ""), 7.0),
        (Place("", "Vietnamese", "", "", "", "", "", ""), 5.0),
    ]
)  # fmt: skip
PLACES_EN = Weighted(
    [
        (Place("United States", "American", "California", "San Francisco", "", "", "94107", "849VQHFJ+X6"), 40.0),
        (Place("United States", "American", "Texas", "Austin", "", "", "73301", "86247794+5F"), 25.0),
        (Place("Vietnam", "British", "Hồ Chí Minh", "Thành phố Hồ Chí Minh", "Quận 2", "Thảo Điền",
               "700000", ""), 20.0),
        (Place("United States", "", "New York", "New York", "", "", "10001", ""), 15.0),
    ]
)  # fmt: skip
STREETS_VI = ("Lê Lợi", "Hai Bà Trưng", "Trần Hưng Đạo", "Nguyễn Huệ", "Lý Thường Kiệt")
STREETS_EN = ("Main Street", "Oak Avenue", "2nd Street", "Harbor Road", "Mission Street")
JOBS_VI = ("Nhân viên văn phòng", "Giáo viên", "Kỹ sư phần mềm", "Bác sĩ", "Kế toán", "Sinh viên", "")
JOBS_EN = ("Marketing Manager", "Teacher", "Software Engineer", "Nurse", "Accountant", "Student", "")
INTERESTS = ("coffee", "travel", "sport", "music", "cooking", "yoga", "gaming", "photography")
LABELS = ("VIP", "NEWSLETTER", "B2B", "STAFF-DISCOUNT", "khách quen", "EVENT-2025")
MAIL_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com")
PLACES_GB = Weighted(
    [
        (Place("United Kingdom", "British", "England", "London", "Camden", "", "NW1 8AB", ""), 50.0),
        (Place("United Kingdom", "British", "Scotland", "Edinburgh", "", "", "EH1 1YZ", ""), 20.0),
        (Place("United Kingdom", "British", "England", "Manchester", "", "", "M1 4BT", ""), 20.0),
        (Place("United Kingdom", "", "Wales", "Cardiff", "", "", "CF10 1EP", ""), 10.0),
    ]
)
MOBILE_PREFIXES_GB = ("7400", "7453", "7520", "7810", "7967")
MOBILE_PREFIXES_VI = (
    "90",
    "91",
    "93",
    "94",
    "96",
    "97",
    "98",
    "86",
    "88",
    "32",
    "35",
    "38",
    "70",
    "77",
    "79",
    "83",
)
AREA_CODES_US = ("415", "512", "212", "646", "202")

GOODS: dict[str, tuple[tuple[Category, tuple[tuple[str, str, int], ...]], ...]] = {
    "home": (
        (Category("cat_coffee", "Cà phê", "Coffee"),
         (("Cà phê rang xay", "Ground coffee", 180), ("Cà phê hạt", "Coffee beans", 240),
          ("Phin cà phê", "Coffee dripper", 90))),
        (Category("cat_app", "Đồ gia dụng", "Appliance"),
         (("Máy xay cà phê", "Coffee grinder", 950), ("Ấm siêu tốc", "Electric kettle", 520),
          ("Nồi chiên không dầu", "Air fryer", 1_900))),
        (Category("cat_home", "Nhà cửa", "Home"),
         (("Bình giữ nhiệt", "Thermos bottle", 320), ("Khăn tắm", "Bath towel", 150), ("Đèn bàn", "Desk lamp", 410))),
        (Category("cat_fashion", "Thời trang", "Fashion"),
         (("Áo thun", "T-shirt", 190), ("Áo khoác", "Jacket", 650), ("Túi vải", "Canvas bag", 130))),
    ),
    "beauty": (
        (Category("cat_skin", "Chăm sóc da", "Skin care"),
         (("Sữa rửa mặt", "Face wash", 160), ("Kem dưỡng ẩm", "Moisturiser", 380),
          ("Kem chống nắng", "Sun cream", 350))),
        (Category("cat_makeup", "Trang điểm", "Make-up"),
         (("Son môi", "Lipstick", 290), ("Phấn nước", "Cushion foundation", 450))),
        (Category("cat_hair", "Chăm sóc tóc", "Hair care"),
         (("Dầu gội bồ kết", "Soapberry shampoo", 140), ("Tinh dầu bưởi", "Pomelo oil", 210))),
    ),
    "outdoor": (
        (Category("cat_camp", "Cắm trại", "Camping"),
         (("Lều", "Tent", 3_900), ("Túi ngủ", "Sleeping bag", 1_700), ("Đèn pin", "Headlamp", 700))),
        (Category("cat_hike", "Leo núi", "Hiking"),
         (("Ba lô", "Backpack", 2_400), ("Giày leo núi", "Hiking boots", 3_200), ("Gậy", "Trekking poles", 1_300))),
    ),
}  # fmt: skip
"""Per range: categories with their kinds of goods as (Vietnamese, English, typical price in thousand VND)."""

MATERIALS = (("gốm", "ceramic"), ("tre", "bamboo"), ("cotton", "cotton"), ("thép không gỉ", "stainless steel"),
             ("hữu cơ", "organic"), ("tái chế", "recycled"))  # fmt: skip
QUALITIES = (
    ("hữu cơ", "organic"),
    ("thượng hạng", "premium"),
    ("nguyên chất", "pure"),
    ("thủ công", "hand-made"),
)
PACKS = (("100g", "100 g"), ("250g", "250 g"), ("500g", "500 g"), ("hộp 2", "pack of 2"))
CONSUMABLES = {"cat_coffee", "cat_skin", "cat_makeup", "cat_hair"}
"""Categories described by quality and pack, not by material and colour."""
COLOURS = (("đen", "black"), ("trắng", "white"), ("xanh lá", "green"), ("đỏ", "red"), ("xanh dương", "blue"))
BRANDS = ("Highland", "Trung Nguyên", "Sao Mai", "Northpeak", "Lụa", "Everyday", "Minh Long")

# Opinions: (aspect, Vietnamese, English) per sentiment; a review is one to three of them.
OPINIONS: dict[int, tuple[tuple[str, str, str], ...]] = {
    1: (
        ("quality", "Chất lượng rất tốt", "Really good quality"),
        ("delivery", "Giao hàng nhanh", "Fast delivery"),
        ("price", "Giá hợp lý", "Great value for the price"),
        ("packaging", "Đóng gói cẩn thận", "Carefully packed"),
        ("service", "Shop tư vấn nhiệt tình", "Very friendly service"),
        ("comfort", "Dùng rất thích", "I love using it"),
    ),
    0: (
        ("quality", "Chất lượng tạm được", "Quality is okay"),
        ("delivery", "Giao hàng hơi lâu nhưng hàng đúng mô tả", "A bit slow, but as described"),
        ("price", "Giá bình thường", "Average price"),
    ),
    -1: (
        ("quality", "Hàng kém chất lượng, rất thất vọng", "Poor quality, very disappointed"),
        ("delivery", "Giao hàng quá chậm", "Delivery was far too slow"),
        ("packaging", "Hộp bị móp, đóng gói ẩu", "The box was crushed"),
        ("color", "Màu không giống hình", "The colour is not like the picture"),
        ("service", "Shop không trả lời tin nhắn", "Nobody answers my messages"),
    ),
}
EMOJI = {1: "😍👍", 0: "🙂", -1: "😡👎"}
MESSAGES = (("Cho mình hỏi khi nào có hàng lại?", "When will it be back in stock?"),
            ("Mình muốn đổi size", "I would like to change the size"),
            ("Xin hóa đơn công ty", "Please send me a company invoice"))  # fmt: skip
QUERIES = (("quà tặng", "gift"), ("khuyến mãi", "sale"), ("màu đen", "black"), ("giảm giá", "discount"))

DEVICES = Weighted([("iPhone", 45.0), ("Android phone", 30.0), ("Windows PC", 20.0), ("iPad", 5.0)])
DEVICE_FACTS: dict[str, tuple[str, str, str]] = {
    "iPhone": ("iOS", "Mobile", "Safari"),
    "Android phone": ("Android", "Mobile", "Chrome"),
    "Windows PC": ("Windows", "Desktop", "Edge"),
    "iPad": ("iPadOS", "Tablet", "Safari"),
}
"""Device name -> operating system, device type, browser."""
SOURCES = Weighted([("", 40.0), ("google", 25.0), ("facebook_ads", 15.0), ("zalo", 12.0), ("email", 8.0)])
