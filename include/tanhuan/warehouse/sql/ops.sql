-- The night itself, as tables: filled from the ledger, published beside the marts.
create schema if not exists ops;

create table if not exists ops.ops_load (
    load_id varchar not null,
    feed varchar not null,
    table_name varchar not null,
    night_date date not null,
    kind varchar not null,
    form varchar not null,
    first_date date not null,
    last_date date not null,
    state varchar not null,
    received_count bigint not null,
    admitted_count bigint not null,
    quarantined_count bigint not null,
    unchanged_count bigint not null,
    day_count bigint not null,
    reason varchar,
    notes varchar[] not null,
    recorded_at timestamptz not null
);
comment on table ops.ops_load is '每次拉取的去向：入湖、无变化或拒收。 What became of every pull: admitted, unchanged or refused.';
comment on column ops.ops_load.night_date is '所属夜次（数据截至日）。 The night that pulled it.';
comment on column ops.ops_load.kind is 'night 夜间例行，history 首次历史，restated 补报周期，backfill 申请回补，file 投递文件，release 隔离区放行。 A night''s routine, first history, a closed period restated, a requested backfill, a dropped file or rows released from quarantine.';
comment on column ops.ops_load.form is '来件形式。 The form in which it came.';
comment on column ops.ops_load.received_count is '收到的行（包、条）数，等于其后三项之和。 Rows or packets received: the sum of the next three.';
comment on column ops.ops_load.admitted_count is '入湖行数。 Rows that entered the lake.';
comment on column ops.ops_load.quarantined_count is '隔离行数。 Rows in quarantine.';
comment on column ops.ops_load.unchanged_count is '与已有相同、不再存储的行数。 Rows that say what is already there, not stored again.';
comment on column ops.ops_load.day_count is '入湖的数据日数。 Business days that entered the lake.';
comment on column ops.ops_load.reason is '整批拒收的原因。 Why the whole batch was refused.';

create table if not exists ops.ops_gate_result (
    gate varchar not null,
    subject varchar not null,
    table_name varchar not null,
    night_date date not null,
    check_id varchar not null,
    level varchar not null,
    severity varchar not null,
    action varchar not null,
    passed boolean not null,
    failed_count bigint,
    failed_share double,
    observed varchar,
    samples varchar[] not null,
    message_zh varchar,
    message_en varchar,
    recorded_at timestamptz not null
);
comment on table ops.ops_gate_result is '闸门的每一项检查结果。 Every check of every gate run.';
comment on column ops.ops_gate_result.gate is 'source 入湖闸门，mart 发布闸门。 Gate 1 or gate 2.';
comment on column ops.ops_gate_result.subject is '批次号或发布夜次。 The load, or the night of the publication.';
comment on column ops.ops_gate_result.samples is '未通过的行或值，至多20条。 Up to 20 failing rows or values.';

create table if not exists ops.ops_quarantine (
    load_id varchar not null,
    table_name varchar not null,
    source_file varchar not null,
    source_row bigint not null,
    row_json varchar not null,
    reason_ids varchar[] not null,
    detail varchar,
    state varchar not null
);
-- A warehouse of an earlier version has the table without these.
alter table ops.ops_quarantine add column if not exists acted_by varchar;
alter table ops.ops_quarantine add column if not exists acted_at timestamptz;
alter table ops.ops_quarantine add column if not exists why varchar;
alter table ops.ops_quarantine add column if not exists document varchar;
alter table ops.ops_quarantine add column if not exists released_as varchar;
comment on table ops.ops_quarantine is '隔离区：被拒收的原始行、原因及现状。 Refused rows as received, with every reason and what became of them.';
comment on column ops.ops_quarantine.source_row is '在来件中的行号；报文档案为字节位置。 The row in what came; in packet archives the byte offset.';
comment on column ops.ops_quarantine.row_json is '收到的原样。 The row as it was received.';
comment on column ops.ops_quarantine.detail is '整批拒收的原因，或解析失败的细节。 Why the whole batch was refused, or what could not be read.';
comment on column ops.ops_quarantine.state is 'held 隔离中，released 已放行，dropped 已作废。 Held, released through the gate, or dropped.';
comment on column ops.ops_quarantine.acted_by is '最后处置人。 Who last did something with it.';
comment on column ops.ops_quarantine.why is '处置事由。 Why.';
comment on column ops.ops_quarantine.document is '处置依据文号。 The document it rests on.';
comment on column ops.ops_quarantine.released_as is '放行后入湖的批次号。 The load as which it entered after its release.';

create table if not exists ops.ops_quarantine_act (
    act_id varchar not null,
    act varchar not null,
    load_id varchar not null,
    table_name varchar not null,
    row_count bigint not null,
    acted_by varchar not null,
    why varchar not null,
    document varchar,
    accepted_check_ids varchar[] not null,
    released_as varchar,
    recorded_at timestamptz not null
);
comment on table ops.ops_quarantine_act is '隔离区的每一次处置：放行、作废或撤回。 Every act on quarantined rows: release, drop or reopen.';
comment on column ops.ops_quarantine_act.act is 'release 放行，drop 作废，reopen 撤回。 What was done.';
comment on column ops.ops_quarantine_act.load_id is '被拒收的批次。 The load whose rows were refused.';
comment on column ops.ops_quarantine_act.row_count is '处置的行数。 Rows it concerns.';
comment on column ops.ops_quarantine_act.accepted_check_ids is '为这些行豁免的检查。 Checks that were waived for these rows.';
comment on column ops.ops_quarantine_act.released_as is '放行后入湖的批次号。 The load as which the rows entered.';

create table if not exists ops.ops_publication (
    version varchar not null,
    night_date date not null,
    published_at timestamptz not null,
    content_hash varchar not null,
    table_count bigint not null,
    missing_tables varchar[] not null
);
comment on table ops.ops_publication is '此前的各次发布。 The publications before this one.';
comment on column ops.ops_publication.missing_tables is '当夜未到的表。 Feed tables that had not arrived that night.';

create table if not exists ops.ops_run_step (
    step varchar not null,
    night_date date not null,
    started_at timestamptz not null,
    duration_s double not null,
    state varchar not null,
    error varchar
);
comment on table ops.ops_run_step is '每一夜每一步的耗时与成败。 How long each step of a night took and how it ended.';
comment on column ops.ops_run_step.step is 'DAG与任务名。 DAG and task.';
comment on column ops.ops_run_step.error is '失败的原因与下一步。 Why it failed and what to do.';

create table if not exists ops.ops_change (
    version_before varchar not null,
    night_date date not null,
    table_name varchar not null,
    row_key varchar,
    change varchar not null,
    column_name varchar,
    old_value varchar,
    new_value varchar,
    relative_change double,
    change_count bigint not null,
    is_closed_period boolean not null,
    cause_kind varchar not null,
    cause varchar,
    recorded_at timestamptz not null
);
comment on table ops.ops_change is '与上一次发布相比的变化及其原因，保留最近若干次发布。 What differs from the publication before, and why; the last publications are kept.';
comment on column ops.ops_change.version_before is '所比较的上一次发布。 The publication it is compared with.';
comment on column ops.ops_change.night_date is '夜次（数据截至日）。 The night that brought the change.';
comment on column ops.ops_change.table_name is '发布表。 Published table.';
comment on column ops.ops_change.row_key is '该行主键（JSON）；空表示合计行。 Key of the row as JSON; empty on a line that only counts.';
comment on column ops.ops_change.change is 'added 新增，removed 消失，changed 改变。 A row or column that is new, gone, or a value that changed.';
comment on column ops.ops_change.column_name is '改变的列；整行新增或消失时为空。 Column that changed; empty if the whole row came or went.';
comment on column ops.ops_change.old_value is '上一次发布的值；整行消失时为该行（JSON）。 Value published before; of a row that is gone the row as JSON.';
comment on column ops.ops_change.new_value is '本次的值；整行新增时为该行（JSON）。 Value now; of a new row the row as JSON.';
comment on column ops.ops_change.relative_change is '相对变化：(新值−旧值)/|旧值|，仅数值列。 Change relative to the old value, of numbers only.';
comment on column ops.ops_change.change_count is '本行代表的变化数；逐值列出时为1。 How many values or rows this line stands for; 1 if it is told value by value.';
comment on column ops.ops_change.is_closed_period is '所属时段是否在上一次发布的截至日之前已结束。 Whether its period had ended before the date of the publication before.';
comment on column ops.ops_change.cause_kind is 'load 新批次，correction 更正，release 隔离放行，rule 规则，calendar 日期推移，freeze 新冻结的评估，unexplained 无原因。 A load, a correction, a release from quarantine, a rule, the calendar, a new frozen assessment, or none found.';
comment on column ops.ops_change.cause is '原因：批次号、更正编号、规则文件、到期的日期列。 The loads, corrections, rules or dated rows that explain it.';

create table if not exists ops.compared (
    version_before varchar not null
);

create table if not exists ops.ops_reconciliation (
    reconciliation_id varchar not null,
    table_name varchar not null,
    row_key varchar not null,
    left_name varchar,
    left_value double,
    right_name varchar,
    right_value double,
    difference double,
    tolerance double,
    is_within boolean not null,
    night_date date not null,
    recorded_at timestamptz not null
);
comment on table ops.ops_reconciliation is '勾稽核对：同一数值的两种算法，保留最近若干夜。 Two ways to one figure, compared by gate 2; the newest nights are kept.';
comment on column ops.ops_reconciliation.reconciliation_id is '核对编号，见expectations/reconciliation/。 Which reconciliation, as in expectations/reconciliation/.';
comment on column ops.ops_reconciliation.table_name is '所核对的发布表。 The published table that it is about.';
comment on column ops.ops_reconciliation.row_key is '核对的主键（JSON）；只列不合规行的核对为该行。 Key compared, as JSON; of a reconciliation that only lists wrong rows, the row.';
comment on column ops.ops_reconciliation.left_name is '左侧数值的来历。 What the left figure is.';
comment on column ops.ops_reconciliation.right_name is '右侧数值的来历。 What the right figure is.';
comment on column ops.ops_reconciliation.left_value is '左侧数值；空为无此项。 Left figure; empty if there is none.';
comment on column ops.ops_reconciliation.right_value is '右侧数值；空为无此项。 Right figure; empty if there is none.';
comment on column ops.ops_reconciliation.difference is '左侧减右侧。 Left less right.';
comment on column ops.ops_reconciliation.tolerance is '允许的差值。 How far they may lie apart.';
comment on column ops.ops_reconciliation.is_within is '是否在容差以内；每项核对保留全部超差及差值最大的若干键。 Whether they agree; kept are those that do not, and of the rest those furthest apart.';
comment on column ops.ops_reconciliation.night_date is '夜次（数据截至日）。 The night that compared them.';

create table if not exists ops.arrival_promise (
    table_name varchar not null,
    feed varchar not null,
    expected_by varchar not null,
    stale_after_hours integer not null
);

create or replace view ops.ops_freshness as
with arrival as (
    select
        table_name,
        max(last_date) filter (where state in ('admitted', 'unchanged')) as newest_date,
        max(recorded_at) filter (where state in ('admitted', 'unchanged')) as last_good_at,
        max_by(state, load_id) as last_state
    from ops.ops_load
    group by table_name
)
select
    promise.table_name,
    promise.feed,
    promise.expected_by,
    promise.stale_after_hours,
    arrival.newest_date,
    arrival.last_good_at,
    arrival.last_state,
    coalesce(
        arrival.last_good_at + to_hours(promise.stale_after_hours) < (select max(recorded_at) from ops.ops_load), true
    ) as is_stale
from ops.arrival_promise as promise
left join arrival on promise.table_name = arrival.table_name;
comment on view ops.ops_freshness is '每张接入表最近一次成功接收，对照合同约定。 When each feed table last arrived well, against what its contract promises.';
comment on column ops.ops_freshness.expected_by is '约定到达时刻（次日）。 Time of the morning after by which it should be there.';
comment on column ops.ops_freshness.stale_after_hours is '超过多少小时未到视为陈旧。 Hours without a good arrival after which it counts as stale.';
comment on column ops.ops_freshness.is_stale is '截至最近一次接收是否陈旧；从未到达亦为是。 Whether it was stale when anything last arrived; also true if it never did.';

create table if not exists ops.ops_assessment (
    plan_id varchar not null,
    assessment_point varchar not null,
    freeze_no integer not null,
    year integer not null,
    due_date date not null,
    frozen_at timestamptz not null,
    frozen_by varchar,
    as_of_date date not null,
    source_version varchar not null,
    source_content_hash varchar not null,
    content_hash varchar not null,
    code_revision varchar,
    rules_digest varchar not null,
    verdict varchar,
    note varchar,
    reason varchar
);
comment on table ops.ops_assessment is '冻结的评估：每次冻结一行，永不改动。 Frozen assessments, one row a freeze; none is ever changed.';
comment on column ops.ops_assessment.freeze_no is '第几次冻结：1 为首次，修订依次加一。 1 for the first freeze of the point, one more for each revision.';
comment on column ops.ops_assessment.frozen_by is '经办人。 Who froze it.';
comment on column ops.ops_assessment.as_of_date is '冻结时的数据截至日期。 Date of the figures when frozen.';
comment on column ops.ops_assessment.source_version is '所取的发布版本。 The published version it was taken from.';
comment on column ops.ops_assessment.content_hash is '全部文件的摘要，tanhuan assess --verify 可复核。 Hash of all its files; `tanhuan assess --verify` checks it.';
comment on column ops.ops_assessment.verdict is '冻结时的总体结论（全市）。 Overall verdict of the city when frozen.';
comment on column ops.ops_assessment.note is '冻结时的说明。 What was noted.';
comment on column ops.ops_assessment.reason is '修订的事由；首次冻结为空。 Why it was revised; empty for the first.';

-- What publications since a freeze changed in its indicators, and why, as far back as ops_change reaches.
create or replace view ops.ops_assessment_change as
select
    frozen.plan_id,
    frozen.assessment_point,
    frozen.freeze_no,
    cast(change.row_key ->> 'indicator_no' as integer) as indicator_no,
    change.row_key ->> 'region_code' as region_code,
    change.change,
    change.column_name,
    change.old_value,
    change.new_value,
    change.cause_kind,
    change.cause,
    change.version_before,
    change.night_date,
    change.recorded_at
from ops.ops_assessment as frozen
inner join ops.ops_change as change
    on
        change.table_name = 'ind_plan_indicator'
        and frozen.plan_id = (change.row_key ->> 'plan_id')
        and frozen.assessment_point = (change.row_key ->> 'assessment_point')
        and frozen.frozen_at < change.recorded_at;
comment on view ops.ops_assessment_change is '冻结以后各次发布对其指标的改动及原因，以 ops_change 所存为限。 What publications since a freeze changed in its indicators, and why, as far back as ops_change reaches.';
comment on column ops.ops_assessment_change.version_before is '该次改动所比较的上一次发布。 The publication the change is compared with.';
comment on column ops.ops_assessment_change.cause is '原因：批次号、更正编号、规则文件、到期的日期列。 The loads, corrections, rules or dated rows that explain it.';
