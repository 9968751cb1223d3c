{{ config(materialized='view', grants={'select': ['cdp_pipeline', 'cdp_reader']}) }}

-- The two holidays that follow the moon, the second one a holiday since 2007.
-- Dates of the Python package holidays 0.109, country VN.
with lunar (tet, hung_kings) as (

    values
    (date '1990-01-27', null),
    (date '1991-02-15', null),
    (date '1992-02-04', null),
    (date '1993-01-23', null),
    (date '1994-02-10', null),
    (date '1995-01-31', null),
    (date '1996-02-19', null),
    (date '1997-02-07', null),
    (date '1998-01-28', null),
    (date '1999-02-16', null),
    (date '2000-02-05', null),
    (date '2001-01-24', null),
    (date '2002-02-12', null),
    (date '2003-02-01', null),
    (date '2004-01-22', null),
    (date '2005-02-09', null),
    (date '2006-01-29', null),
    (date '2007-02-17', date '2007-04-26'),
    (date '2008-02-07', date '2008-04-15'),
    (date '2009-01-26', date '2009-04-04'),
    (date '2010-02-14', date '2010-04-23'),
    (date '2011-02-03', date '2011-04-12'),
    (date '2012-01-23', date '2012-03-31'),
    (date '2013-02-10', date '2013-04-19'),
    (date '2014-01-31', date '2014-04-09'),
    (date '2015-02-19', date '2015-04-28'),
    (date '2016-02-08', date '2016-04-16'),
    (date '2017-01-28', date '2017-04-06'),
    (date '2018-02-16', date '2018-04-25'),
    (date '2019-02-05', date '2019-04-14'),
    (date '2020-01-25', date '2020-04-02'),
    (date '2021-02-12', date '2021-04-21'),
    (date '2022-02-01', date '2022-04-10'),
    (date '2023-01-22', date '2023-04-29'),
    (date '2024-02-10', date '2024-04-18'),
    (date '2025-01-29', date '2025-04-07'),
    (date '2026-02-17', date '2026-04-26'),
    (date '2027-02-06', date '2027-04-16'),
    (date '2028-01-26', date '2028-04-04'),
    (date '2029-02-13', date '2029-04-23'),
    (date '2030-02-02', date '2030-04-12'),
    (date '2031-01-23', date '2031-04-01'),
    (date '2032-02-11', date '2032-04-19'),
    (date '2033-01-31', date '2033-04-09'),
    (date '2034-02-19', date '2034-04-28'),
    (date '2035-02-08', date '2035-04-17'),
    (date '2036-01-28', date '2036-04-06'),
    (date '2037-02-15', date '2037-04-24'),
    (date '2038-02-04', date '2038-04-13'),
    (date '2039-01-24', date '2039-04-03'),
    (date '2040-02-12', date '2040-04-20'),
    (date '2041-02-01', date '2041-04-10'),
    (date '2042-01-22', date '2042-04-29'),
    (date '2043-02-10', date '2043-04-19'),
    (date '2044-01-30', date '2044-04-07'),
    (date '2045-02-17', date '2045-04-26'),
    (date '2046-02-06', date '2046-04-15'),
    (date '2047-01-26', date '2047-04-04'),
    (date '2048-02-14', date '2048-04-22'),
    (date '2049-02-02', date '2049-04-11'),
    (date '2050-01-23', date '2050-04-01'),
    (date '2051-02-11', date '2051-04-20'),
    (date '2052-02-01', date '2052-04-09'),
    (date '2053-02-18', date '2053-04-28'),
    (date '2054-02-08', date '2054-04-17'),
    (date '2055-01-28', date '2055-04-06'),
    (date '2056-02-15', date '2056-04-24'),
    (date '2057-02-04', date '2057-04-13'),
    (date '2058-01-24', date '2058-04-02'),
    (date '2059-02-12', date '2059-04-21'),
    (date '2060-02-02', date '2060-04-10')
),

-- From the first order on, whatever its year; 1 January 1900 and earlier stand for no date in many systems.
first_order as (

    select date_trunc('year', min(date_day)::timestamp) as year_start
    from {{ ref('fct_orders') }}
    where date_day > date '1900-01-01'

),

days as (

    select day::date as date_day
    from generate_series(
            least((select first_order.year_start from first_order), timestamp '2015-01-01'),
            greatest(
                timestamp '2035-12-31',
                date_trunc('year', {{ today() }}::timestamp) + interval '6 years' - interval '1 day'
            ),
            interval '1 day'
        ) as day

),

holidays as (

    select
        tet + offset_days as date_day,
        'Tet' as holiday_name
    from lunar
    cross join generate_series(-1, 3) as offset_days
    union all
    select
        hung_kings as date_day,
        'Hung Kings'' Commemoration Day' as holiday_name
    from lunar
    where hung_kings is not null
    union all
    select
        date_day,
        case to_char(date_day, 'MM-DD')
            when '01-01' then 'New Year''s Day'
            when '04-30' then 'Reunification Day'
            when '05-01' then 'Labour Day'
            when '09-02' then 'National Day'
        end as holiday_name
    from days
    where to_char(date_day, 'MM-DD') in ('01-01', '04-30', '05-01', '09-02')
    union all
    -- A second day since 2021, before or after it as the government decides each year: those decided so far.
    select
        date_day,
        'National Day' as holiday_name
    from days
    where date_day in ('2021-09-03', '2022-09-01', '2023-09-01', '2024-09-03', '2025-09-01', '2026-09-01')
    union all
    select
        date_day,
        'Culture Day' as holiday_name
    from days
    where to_char(date_day, 'MM-DD') = '11-24' and date_day >= '2026-01-01'

),

-- Two holidays that fall on one day are one row.
named as (

    select
        date_day,
        min(holiday_name) as holiday_name
    from holidays
    group by date_day

),

sale_days as (

    select
        date_day,
        case
            when extract(month from date_day) = extract(day from date_day)
                then to_char(date_day, 'FMDD.FMMM')
            -- the day after the fourth Thursday of November
            when extract(month from date_day) = 11 and extract(isodow from date_day) = 5
                and extract(day from date_day) between 23 and 29
                then 'Black Friday'
        end as sale_name
    from days

)

select
    days.date_day,
    extract(year from days.date_day)::integer as calendar_year,
    extract(quarter from days.date_day)::integer as quarter_of_year,
    extract(month from days.date_day)::integer as month_of_year,
    date_trunc('month', days.date_day::timestamp)::date as month_start,
    extract(isoyear from days.date_day)::integer as iso_year,
    extract(week from days.date_day)::integer as iso_week,
    date_trunc('week', days.date_day::timestamp)::date as week_start,
    extract(isodow from days.date_day)::integer as weekday,
    to_char(days.date_day, 'FMDay') as weekday_name,
    extract(isodow from days.date_day) >= 6 as is_weekend,
    named.date_day is not null as is_holiday,
    named.holiday_name,
    sale_days.sale_name is not null as is_sale_day,
    sale_days.sale_name,
    (
        select days.date_day - lunar.tet
        from lunar
        where lunar.tet between days.date_day - 366 and days.date_day + 366
        order by abs(days.date_day - lunar.tet), lunar.tet
        limit 1
    ) as days_from_tet
from days
left join named on days.date_day = named.date_day
inner join sale_days on days.date_day = sale_days.date_day
