with night as (
    select * from {{ source('raw', 'night') }}
),

grade as (
    select * from {{ ref('credit_grade') }}
),

-- Several levels of government may publish a result for one year and regime: the dated rule says which counts.
result as (
    select
        evaluation.*,
        grade.rank as grade_rank,
        grade.colour,
        count(*) over same_result as evaluation_count,
        -- Two words for one rank are no dispute; a word without a rank beside one with a rank is.
        min(coalesce(grade.rank, 0)) over same_result <> max(coalesce(grade.rank, 0)) over same_result as is_disputed
    from {{ ref('stg_credit__credit_evaluation') }} as evaluation
    inner join night on evaluation.published_date <= night.as_of
    left join grade
        on
            evaluation.regime = grade.regime
            and evaluation.grade = grade.grade
            and {{ in_force('grade', 'make_date(evaluation.eval_year, 12, 31)') }}
    left join {{ ref('credit_level_rule') }} as level_rule
        on
            evaluation.issuer_level = level_rule.issuer_level
            and {{ in_force('level_rule', 'make_date(evaluation.eval_year, 12, 31)') }}
    window same_result as (partition by evaluation.uscc, evaluation.eval_year, evaluation.regime)
    qualify
        row_number() over (
            partition by evaluation.uscc, evaluation.eval_year, evaluation.regime
            order by level_rule.precedence asc nulls last, evaluation.published_date desc, evaluation.issuer asc
        ) = 1
),

evaluation as (
    select
        *,
        lead(published_date) over (partition by uscc order by published_date, eval_year, regime) as next_published_date
    from result
),

penalty as (
    select
        uscc,
        year(penalty_date)::integer as year,
        count(*)::integer as penalty_count,
        count(*) filter (where date_basis = 'published')::integer as penalty_by_publication_count,
        count(*) filter (where amount_basis in ('unreadable', 'contradicting'))::integer as unread_amount_count,
        sum(amount_cny) as penalty_cny,
        {{ basis_of_group('data_basis') }} as data_basis
    from {{ ref('fct_penalty') }}
    group by uscc, year(penalty_date)
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
        when evaluation.grade_rank is null then null
        when blacklisted.uscc is not null then least(evaluation.grade_rank, list_apart.rank)
        else evaluation.grade_rank
    end as rank,
    evaluation.colour,
    evaluation.issuer_level,
    evaluation.issuer,
    evaluation.evaluation_count::integer as evaluation_count,
    evaluation.is_disputed,
    evaluation.published_date as effective_from_date,
    evaluation.next_published_date as superseded_date,
    evaluation.next_published_date is null as is_current,
    coalesce(penalty.penalty_count, 0) as penalty_count,
    coalesce(penalty.penalty_by_publication_count, 0) as penalty_by_publication_count,
    coalesce(penalty.unread_amount_count, 0) as unread_amount_count,
    -- A penalty without a fine (a warning, an order) has no amount: nothing was fined.
    coalesce(penalty.penalty_cny, 0)::decimal(18, 2) as penalty_cny,
    blacklisted.uscc is not null as is_blacklisted,
    case when evaluation.grade_rank is null then 'grade_unknown' else 'graded' end as status,
    {{ basis_of_row(['evaluation.data_basis', 'penalty.data_basis', 'blacklisted.data_basis']) }} as data_basis,
    night.as_of as as_of_date
from evaluation
cross join night
left join list_apart
    on evaluation.regime = list_apart.regime and {{ in_force('list_apart', 'make_date(evaluation.eval_year, 12, 31)') }}
left join penalty on evaluation.uscc = penalty.uscc and evaluation.eval_year = penalty.year
left join blacklisted on evaluation.uscc = blacklisted.uscc and evaluation.eval_year = blacklisted.eval_year
