"""Measures of `cdp.customer_profile` and `cdp.tracking_event` alone: contacts that got lost, merges, redelivery.

Belongs here: what compares a landed row with its own document or with its neighbours. What every table shares is in
`common`.
"""

from __future__ import annotations

from cdp_assets.checks.masking import masked_email, masked_phone
from cdp_assets.checks.subject import Subject
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity, sampled

MIN_LOST = 3
"""Up to this many lost contacts are a warning whatever their share: one typo is 8 % of a tenant with 12 addresses."""

_MASKS = {"primaryEmail": masked_email, "primaryPhone": masked_phone}


def contact_null_rate(subject: Subject) -> Measure:
    """E-mails and phones that the document holds and the columns do not, as a share of those it holds."""
    # Only rows whose column is null need their document read: 100,000 documents take seconds to unpack.
    kept_emails, kept_phones = subject.row(
        "select count(email), count(phone) from {table} where tenant_id = %(tenant)s and deleted_at is null"
    )
    lost = subject.rows(
        "select count(*) over (partition by c.field), p.{key}, c.field, c.given, "
        "row_number() over (partition by c.field order by p.{key}) as place "
        "from {table} as p "
        'cross join lateral jsonb_to_record(p.{document}) as d ("primaryEmail" text, "primaryPhone" text) '
        "cross join lateral (values ('primaryEmail', case when p.email is null then d.\"primaryEmail\" end), "
        "('primaryPhone', case when p.phone is null then d.\"primaryPhone\" end)) as c (field, given) "
        "where p.tenant_id = %(tenant)s and p.deleted_at is null and (p.email is null or p.phone is null) "
        "and c.given ~ '\\S' order by place, c.field limit %(limit)s",
        limit=SAMPLE_ROWS,
    )
    count = {"primaryEmail": 0, "primaryPhone": 0} | {row[2]: int(row[0]) for row in lost}
    emails, phones = kept_emails + count["primaryEmail"], kept_phones + count["primaryPhone"]
    numbers = {
        "emails_given": emails,
        "emails_lost": count["primaryEmail"],
        "email_null_rate": count["primaryEmail"] / emails if emails else 0.0,
        "phones_given": phones,
        "phones_lost": count["primaryPhone"],
        "phone_null_rate": count["primaryPhone"] / phones if phones else 0.0,
        "max_null_rate": subject.quarantine_share,
    }
    is_over = any(
        missing > MIN_LOST and missing > subject.quarantine_share * given
        for missing, given in ((count["primaryEmail"], emails), (count["primaryPhone"], phones))
    )
    return Measure(
        sum(count.values()),
        f"{count['primaryEmail']} of {emails} e-mails and {count['primaryPhone']} of {phones} phones did not land",
        numbers,
        ("key", "attribute", "document says"),
        [(key, name, _MASKS[name](given)) for _, key, name, given, _ in lost],
        Severity.ERROR if is_over else Severity.WARN,
    )


def merges_resolved(subject: Subject) -> Measure:
    """Merged profiles whose chain of winners ends at no living profile: in a circle, or where one is missing."""
    merged, ends = (
        subject.row(
            "select count(*), count(distinct root_profile_id) from {table} "
            "where tenant_id = %(tenant)s and deleted_at is null and status = 'merged'"
        )
    )  # fmt: skip
    rows = subject.rows(
        "select count(*) over (), p.{key}, p.merged_into, case "
        "when w.{key} is null or w.deleted_at is not null then 'the winner is not here' "
        "when w.merged_into is not null and w.root_profile_id = w.{key} then 'the winner is in a circle or stuck too' "
        "else 'a later winner is not here' end "
        "from {table} as p left join {table} as w on w.tenant_id = %(tenant)s and w.{key} = p.merged_into "
        "left join {table} as r on r.tenant_id = %(tenant)s and r.{key} = p.root_profile_id and r.deleted_at is null "
        "where p.tenant_id = %(tenant)s and p.deleted_at is null and p.status = 'merged' "
        "and (r.{key} is null or r.status = 'merged') order by p.{key} limit %(limit)s",
        limit=SAMPLE_ROWS,
    )
    failing, sample = sampled(rows)
    return Measure(
        failing,
        f"{failing} of {merged} merged profiles have no living winner",
        {"merged_profiles": merged, "winners": ends},
        ("merged profile", "its winner", "problem"),
        sample,
        Severity.WARN,
    )


def duplicate_events(subject: Subject) -> Measure:
    """Events stored more than once under different keys, everything else equal."""
    rows = subject.rows(
        "select sum(count(*) - 1) over (), min({key}), max(event_name), count(*) from {table} "
        "where tenant_id = %(tenant)s and deleted_at is null "
        "group by content_hash having count(*) > 1 order by 4 desc, 2 limit %(limit)s",
        limit=SAMPLE_ROWS,
    )
    failing, sample = sampled(rows)
    return Measure(
        failing,
        f"{failing} events repeat another one in all but their key",
        columns=("first key", "event", "times stored"),
        sample=sample,
        severity=Severity.WARN,
    )
