-- The recorded surface water of Hunan in contract columns. The variable water_archive is the file's path.
select
    *,
    null as city,
    null as river,
    -- The live publication is not reviewed.
    'preliminary' as data_status,
    'measured' as data_basis
from read_csv(getvariable('water_archive'), header = true, all_varchar = true)
