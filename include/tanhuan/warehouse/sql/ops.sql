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
comment on column ops.ops_load.kind is 'night 夜间例行，history 首次历史，restated 补报周期，backfill 申请回补，file 投递文件。 A night''s routine, first history, a closed period restated, a requested backfill or a dropped file.';
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
comment on table ops.ops_quarantine is '隔离区：被拒收的原始行及原因。 Refused rows as received, with every reason.';

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
