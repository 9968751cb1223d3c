"""Names of secrets are known by their words, in every style of writing them; names that only look like it stay."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_assets.cleaning.secret_names import _ANYWHERE, _WORDS, _phrases, _plain, is_secret_name
from cdp_assets.cleaning.secrets import LEO_SECRETS, show_signs
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.shop.specs import SPECS
from tests.documents import BUILDERS

SECRET = re.findall(
    r"\S+",
    """
password encrypted_password password_hash passwordHash confirmPassword password_confirmation reset_password_token
old_password newPassword user_password userpassword password2 hashed_password password_digest password_salt passwd
user_passwd pwd user_pwd pswd pass user_pass wp_pass pass_hash passphrase passcode mat_khau matKhau matkhau mậtKhẩu
mật_khẩu MAT_KHAU mat_khau_cu secret client_secret clientSecret secretKey app_secret aws_secret_access_key api_key
apiKey X-Api-Key apikey access_token accessToken refresh_token auth_token id_token token remember_token csrf_token
device_token fcmToken session_token private_key privateKey ssh_key encryption_key user_activation_key otp otp_code
userOTP OTPCode userOtpCode ma_otp totp_secret mfa_secret two_factor_secret two_factor_recovery_codes backup_codes
security_answer security_code verification_code cvv cvv2 cvc card_cvc cardNo card_no card_number cardNumber CardNumber
cc_number ccnum credit_card creditCardNumber debit_card_no card.number card-number pan so_the so_the_tin_dung iban
bank_account bank_account_no account_number accountNo so_tai_khoan stk routing_number sort_code ssn
social_security_number passport passport_no passportNumber ho_chieu so_ho_chieu national_id nationalId citizen_id cccd
so_cccd soCCCD cmnd so_cmnd số_cmnd can_cuoc
căn_cước_công_dân chung_minh_nhan_dan tax_id taxId tax_number ma_so_thue mst
identity_number id_card_number id_card driver_license drivers_licence_no governmentIssuedIDs so_dinh_danh pin user_pin
card_pin pin_code pinCode pin_hash webCookies cookie session_cookie authorization bearer jwt credentials
connection_string ma_xac_nhan giayPhepLaiXe
""",
)

HARMLESS = re.findall(
    r"\S+",
    """
tokenized_title tokenizer passenger card_type optional pinterest pinterest_url shipping_pin_code dung_luong_pin
passwordless has_password is_password_set password_changed_at password_updated_at token_count max_tokens token_type
token_expires_at secretary secret_santa cookie_consent accepts_cookies shopping spin_count promotion_code coupon_code
discount_code productKey product_key sessionKey session_id customer_key public_key keyword keywords compass bypass
pass_rate passed boarding_pass option adoption credit credit_limit gift_card
loyalty_card_number so_the_thanh_vien account
account_name account_type bank_name card_brand card_last4 credit_card_type credit_card_last4 author authority hashtag
postal_code zip_code country_code identities identity loyaltyIDs fingerprintId contextSessionKeys visitor_id crmRefId
order_number tracking_number phone_number invoice_number tin_tuc tin_nhan pan_size frying_pan xuat_khau ma_don_hang
ma_san_pham so_luong so_dien_thoai tai_khoan ten_tai_khoan the_loai bao_hanh color_code language_code status_code id no
number customer_no item_no tax tax_rate tax_amount
""",
)


@pytest.mark.parametrize("name", SECRET)
def test_usual_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_names_that_hold_no_secret_stay(name: str) -> None:
    assert not is_secret_name(name)


def test_no_attribute_that_is_landed_has_the_name_of_a_secret() -> None:
    for build in BUILDERS.values():
        assert {name for name in build() if is_secret_name(name)} <= LEO_SECRETS
    for contract in CONTRACTS.values():
        assert not any(map(is_secret_name, contract.target.columns))
    for spec in SPECS.values():
        assert not any(is_secret_name(column.name) for column in spec.columns)


PHRASES = _phrases(_ANYWHERE + _WORDS)


def camel(words: list[str]) -> str:
    return words[0] + "".join(word.title() for word in words[1:])


STYLES = [
    "_".join, "-".join, ".".join, " ".join, camel,
    lambda words: "".join(word.title() for word in words),
    lambda words: "_".join(words).upper(),
    lambda words: camel(words[:-1]) + words[-1].upper() if len(words) > 1 else words[0].upper(),
]  # fmt: skip


@given(
    st.sampled_from(PHRASES),
    st.sampled_from([[], ["user"], ["my", "old"], ["x"]]),
    st.sampled_from([[], ["2"], ["value"], ["of", "user"]]),
    st.sampled_from(STYLES),
    st.booleans(),
    st.integers(0, 2),
)
def test_a_secret_is_found_in_every_style_and_depth(words, before, after, style, is_plain, depth) -> None:  # type: ignore[no-untyped-def]
    name = style([*before, *(map(_plain, words) if is_plain else words), *after])
    assert is_secret_name(name), name
    document = json.dumps({name: "x"}, ensure_ascii=False)
    for _ in range(depth):
        document = json.dumps({"text": document}, ensure_ascii=False)
    assert show_signs([document.encode()]) == [True], name


@pytest.mark.parametrize("name", SECRET)
def test_a_document_with_a_usual_secret_shows_a_sign(name: str) -> None:
    for document in ({name: 1}, {"a": [{"b": {name: 1}}]}, {"text": json.dumps({name: 1})}):
        assert show_signs([json.dumps(document, ensure_ascii=False).encode()]) == [True]


def test_plain_documents_show_no_sign() -> None:
    shown = show_signs(
        [json.dumps({name: "x"}).encode() for name in ("productKey", "sessionKey", "firstName", "title")]
    )
    assert shown == [False] * 4
    assert not re.search("[A-Z]", "".join(map(_plain, sum(PHRASES, ()))))
