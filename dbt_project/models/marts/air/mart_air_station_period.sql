{{ air_period("station", "station_code") }}
