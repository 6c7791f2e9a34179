{{ air_period("region", "region_code") }}
