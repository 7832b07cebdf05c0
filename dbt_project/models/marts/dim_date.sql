with built_days as (

    select * from {{ ref('agg_daily') }}

),

calendar as (

    select unnest(generate_series(min(date), max(date), interval 1 day))::date as date
    from built_days

),

final as (

    select
        calendar.date,
        year(calendar.date) as year,
        quarter(calendar.date) as quarter,
        month(calendar.date) as month,
        monthname(calendar.date) as month_name,
        isoyear(calendar.date) as iso_year,
        week(calendar.date) as iso_week,
        day(calendar.date) as day_of_month,
        isodow(calendar.date) as day_of_week,
        dayname(calendar.date) as day_name,
        isodow(calendar.date) >= 6 as is_weekend,
        built_days.date is not null as is_built
    from calendar
    left join built_days
        on calendar.date = built_days.date

)

select * from final
order by date
