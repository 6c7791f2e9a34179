with latest as (
    {{ latest_admitted('water_section_4h', ['province', 'section_name', 'measured_at'], by_day=true) }}
)

select
    province,
    section_name,
    measured_at,
    business_date,
    basin,
    city,
    river,
    water_class,
    water_temp_c,
    ph,
    do_mg_l,
    ec_us_cm,
    turbidity_ntu,
    codmn_mg_l,
    nh3n_mg_l,
    tp_mg_l,
    tn_mg_l,
    chla_mg_l,
    algae_cells_l,
    value_form,
    station_status,
    data_status,
    data_basis
from latest
