"""Browsers of people and those of programs, as trackers and LEO name them."""

from __future__ import annotations

import pytest

from cdp_assets.vocabulary.bots import is_bot

PHONE = "Mozilla/5.0 (Linux; Android {}; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Mobile Safari/537.36"


@pytest.mark.parametrize(
    "browser",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        PHONE.format(11, "moto g power (2022)") + " Chrome-Lighthouse",
        "okhttp/4.9.3",
        "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
        "Mozilla/5.0 (Windows NT 10.0) PingdomTMS/0.8.5",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "meta-externalagent/1.1",
        "Mozilla/5.0 HeadlessChrome/120.0 Safari/537.36",
        "python-requests/2.31", "curl/8.0.1", "Wget/1.21", "axios/1.6.2", "Go-http-client/2.0",
        "GPTBot/1.0", "ClaudeBot/1.0", "Bytespider", "AhrefsBot/7.0", "coccocbot-web/1.0",
        "UptimeRobot/2.0", "GTmetrix", "PostmanRuntime/7.36", "WhatsApp/2.23", "Site Monitor", "BingPreview/1.0",
        "Googlebot", "Mozilla/5.0 (compatible; examplebot/2.1)", "Selenium/3.141",
    ],
)  # fmt: skip
def test_a_program_is_known_by_its_name(browser: str) -> None:
    assert is_bot(browser)


@pytest.mark.parametrize(
    "browser",
    [
        PHONE.format(10, "CUBOT_X30"), PHONE.format(9, "CUBOT NOTE Plus"), PHONE.format(12, "CUBOT KINGKONG"),
        PHONE.format(14, "SM-A546E"), PHONE.format(13, "SM-G991B") + " Zalo android/12100758 ZaloTheme/light",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS;FBAV/466.0]",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0",
        "Mozilla/5.0 (Windows NT 10.0) coc_coc_browser/95 Chrome/89 Safari/537.36",
        "Chrome", "Safari", "Mobile Safari", "Edge", "Firefox", "Samsung Internet", "Chrome Mobile WebView",
        "Yandex Browser", "YaBrowser/22.1", "UC Browser", "Opera Mini/8.0", "Coc Coc", "DuckDuckGo/7", "Facebook", "",
    ],
)  # fmt: skip
def test_a_person_is_no_bot_whatever_the_phone_is_called(browser: str) -> None:
    assert not is_bot(browser)
