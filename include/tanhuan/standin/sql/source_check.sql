-- Checks that have been done by now_h (hours since 1970 UTC).
select *
from register_source_check
where checked_at::timestamptz <= to_timestamp(getvariable('now_h')::bigint * 3600)
