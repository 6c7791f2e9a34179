-- Why figures moved since the freeze.
select
    indicator_no,
    string_agg(distinct concat_ws(' ', cause_kind, cause), '；' order by concat_ws(' ', cause_kind, cause)) as causes
from now.ops_assessment_change
where plan_id = $plan and assessment_point = $point and freeze_no = $number
group by indicator_no
