-- What has been issued by now_day (days since 1970, local).
select *
from register_water_body_check
where issued_date::date <= date '1970-01-01' + getvariable('now_day')::integer
