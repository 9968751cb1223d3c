{#- How staging reads what people typed. Each macro is one SQL expression over one value; null stays null. Keys of
    people come with their rows: the landings make them. Keys are compared byte by byte (collate "C"): nobody reads them
    in order, and sorting 100,000 takes 0.3 s, not 0.6. -#}


{#- Characters without width that carry no meaning, as `cdp_assets.cleaning.spelling` has them. -#}
{% macro invisible() -%}
    \u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d
    {{- "\\ufeff\\uffa0\\ufff9-\\ufffb\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff" -}}
{%- endmacro %}


{#- One line of text: composed characters (NFC), no invisible ones, single spaces, none at the ends; nothing left is
    null. Eth, which many keyboards give for Đ, is Đ at the head of a word.
    \s leaves out the no-break spaces that forms and spreadsheets bring. A word of plain ASCII needs nothing, and most
    codes are one: the test takes a sixth of the time of the rewrite. -#}
{% macro clean_text(value) -%}
    case
        when {{ value }} !~ '[^!-~]' then nullif({{ value }}, '')
        when {{ value }} !~ '[{{ invisible() }}ÐƉðɖ]'
            then nullif(btrim(regexp_replace(normalize({{ value }}, nfc), '[\s\u00a0\u202f\u3000]+', ' ', 'g')), '')
        else nullif(btrim(regexp_replace(regexp_replace(regexp_replace(normalize(
            regexp_replace({{ value }}, '[{{ invisible() }}]', '', 'g'), nfc),
            '(^|[^[:alpha:]\u00c0-\u024f\u1e00-\u1eff])[ÐƉ]', '\1Đ', 'g'), '(^|[^[:alpha:]\u00c0-\u024f\u1e00-\u1eff])[ðɖ]', '\1đ', 'g'),
            '[\s\u00a0\u202f\u3000]+', ' ', 'g')), '')
    end
{%- endmacro %}


{#- What spellings of one stock code share. -#}
{% macro sku_key(value) -%}
    nullif(upper(regexp_replace({{ value }}, '\s+', '', 'g')), '') collate "C"
{%- endmacro %}


{#- Three letters, or null. -#}
{% macro currency_code(value) -%}
    case when upper(btrim({{ value }})) ~ '^[A-Z]{3}$' then upper(btrim({{ value }})) end
{%- endmacro %}
