with night as (
    select * from {{ source('raw', 'night') }}
),

evaluation as (
    select
        evaluation.*,
        lead(evaluation.published_date) over (
            partition by evaluation.uscc order by evaluation.published_date, evaluation.eval_year, evaluation.regime
        ) as next_published_date
    from {{ ref('stg_credit__credit_evaluation') }} as evaluation
    inner join night on evaluation.published_date <= night.as_of
),

penalty as (
    select
        uscc,
        year(decided_date)::integer as year,
        count(*)::integer as penalty_count,
        sum(amount_cny) as penalty_cny,
        {{ basis_of_group('data_basis') }} as data_basis
    from {{ ref('stg_credit__penalty') }}
    group by uscc, year(decided_date)
),

-- The list is published with the grades: it belongs to the grade in whose term the enterprise was on it.
blacklisted as (
    select
        evaluation.uscc,
        evaluation.eval_year,
        {{ basis_of_group('listing.data_basis') }} as data_basis
    from evaluation
    inner join {{ ref('stg_credit__blacklist') }} as listing
        on
            evaluation.uscc = listing.uscc
            and (evaluation.next_published_date is null or evaluation.next_published_date > listing.listed_date)
            and (listing.removed_date is null or evaluation.published_date < listing.removed_date)
    inner join night on listing.listed_date <= night.as_of
    group by evaluation.uscc, evaluation.eval_year
),

grade as (
    select * from {{ ref('credit_grade') }}
),

-- Hunan's first regime kept its blacklist apart from the grades: who is on it ranks below every grade.
list_apart as (
    select * from grade
    where is_list_apart
)

select
    evaluation.uscc,
    evaluation.enterprise_name,
    evaluation.eval_year,
    evaluation.regime,
    evaluation.grade,
    case
        when grade.rank is null then null
        when blacklisted.uscc is not null then least(grade.rank, list_apart.rank)
        else grade.rank
    end as rank,
    grade.colour,
    evaluation.published_date as effective_from_date,
    evaluation.next_published_date as superseded_date,
    evaluation.next_published_date is null as is_current,
    coalesce(penalty.penalty_count, 0) as penalty_count,
    -- A penalty without a fine (a warning, an order) has no amount: nothing was fined.
    coalesce(penalty.penalty_cny, 0)::decimal(18, 2) as penalty_cny,
    blacklisted.uscc is not null as is_blacklisted,
    case when grade.rank is null then 'grade_unknown' else 'graded' end as status,
    {{ basis_of_row(['evaluation.data_basis', 'penalty.data_basis', 'blacklisted.data_basis']) }} as data_basis,
    night.as_of as as_of_date
from evaluation
cross join night
left join grade
    on
        evaluation.regime = grade.regime
        and evaluation.grade = grade.grade
        and {{ in_force('grade', 'make_date(evaluation.eval_year, 12, 31)') }}
left join list_apart
    on evaluation.regime = list_apart.regime and {{ in_force('list_apart', 'make_date(evaluation.eval_year, 12, 31)') }}
left join penalty on evaluation.uscc = penalty.uscc and evaluation.eval_year = penalty.year
left join blacklisted on evaluation.uscc = blacklisted.uscc and evaluation.eval_year = blacklisted.eval_year
