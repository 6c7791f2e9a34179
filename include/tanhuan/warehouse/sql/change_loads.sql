-- A snapshot, and rows without a readable day, may concern any period.
insert into load_day
with load as (
    select *, list_filter(corrections, lambda c: c.acted > 0 and c.action <> 'flag') as done
    from read_json($files, columns = {
        'load_id': 'VARCHAR', 'table': 'VARCHAR', 'kind': 'VARCHAR', 'files': 'MAP(VARCHAR, VARCHAR)',
        'corrections': 'STRUCT(id VARCHAR, action VARCHAR, acted BIGINT)[]'
    })
)

select
    load_id,
    "table",
    case when kind = 'release' then 'release' when len(done) > 0 then 'correction' else 'load' end,
    load_id || if(len(done) > 0, ' (' || array_to_string(list_transform(done, lambda d: d.id), ', ') || ')', ''),
    try_cast(unnest(map_keys(files)) as date)
from load
