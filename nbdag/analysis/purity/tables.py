"""pandas and polars. A method of a frame that is not listed may be an extension's: nothing is assumed of it.

In pandas the methods that change their receiver are ``insert``, ``pop``, ``update`` and whatever is given
``inplace=True``.
"""

from nbdag.analysis.wordlist import words

_SHAPED = (
    "head tail copy sort_values sort_index reset_index rename rename_axis drop drop_duplicates dropna fillna ffill "
    "bfill pad backfill replace clip round abs astype convert_dtypes infer_objects filter reindex "
    "reindex_like align sample nlargest nsmallest take truncate shift diff pct_change cumsum cumprod cummax cummin "
    "rank transform apply map pipe agg aggregate interpolate isna isnull notna notnull isin add sub subtract mul "
    "multiply div divide truediv floordiv mod pow radd rsub rmul rdiv rtruediv eq ne lt le gt ge combine "
    "combine_first append unstack explode transpose swapaxes swaplevel reorder_levels droplevel add_prefix add_suffix "
    "set_axis set_flags tz_localize tz_convert asfreq to_period to_timestamp first last xs corr cov describe mode "
    "quantile value_counts dot duplicated first_valid_index last_valid_index at_time between_time rolling expanding "
    "ewm compare squeeze bool memory_usage"
)
_FRAME = "set_index assign query applymap merge join stack pivot pivot_table melt select_dtypes corrwith"
_SERIES = "between to_frame searchsorted argsort autocorr view repeat ravel case_when"
_REDUCED = (
    "sum mean median min max std var sem skew kurt kurtosis prod product count nunique all any idxmin idxmax "
    "mad equals keys __len__"
)
_WRITERS = "to_csv to_excel to_pickle to_hdf to_json to_latex to_markdown to_string to_clipboard"
_FRAME_WRITERS = "to_parquet to_feather to_html to_stata to_orc to_gbq to_xml"

# What returns a Series if ``eager=True`` (``pl.date_range``, ``pl.struct``) is left out.
_EXPRESSIONS = (
    "all all_horizontal any_horizontal approx_n_unique arctan2 arg_sort_by business_day_count col concat_arr "
    "concat_list concat_str count cum_count cum_fold cum_reduce cum_sum cum_sum_horizontal date datetime duration "
    "element exclude field first fold format head implode last len list lit map_batches map_groups max max_horizontal "
    "mean mean_horizontal median min min_horizontal n_unique nth pipe_with_dtype quantile reduce rolling_corr "
    "rolling_cov std sum sum_horizontal tail time var when"
)

FUNCTIONS = {
    "pandas.": {
        "DataFrame": "view -> pandas.DataFrame",
        "Series": "view -> pandas.Series",
        "Index MultiIndex DatetimeIndex RangeIndex CategoricalIndex PeriodIndex IntervalIndex TimedeltaIndex "
        "MultiIndex.from_tuples MultiIndex.from_product MultiIndex.from_arrays MultiIndex.from_frame "
        "date_range period_range timedelta_range interval_range bdate_range": "view -> pandas.Index",
        # A path, or a handle that is read from.
        "read_csv read_table read_excel read_parquet read_json read_pickle read_feather read_hdf read_clipboard "
        "read_fwf read_stata read_sas read_spss read_orc read_xml": "arg0? -> pandas.DataFrame",
        "read_sql read_sql_query read_sql_table": "arg1 kw:con -> pandas.DataFrame",
        "DataFrame.from_dict DataFrame.from_records json_normalize": "view -> pandas.DataFrame",
        "read_gbq merge merge_asof merge_ordered pivot "
        "pivot_table crosstab melt get_dummies from_dummies wide_to_long lreshape concat": "-> pandas.DataFrame",
        "read_html": "arg0? -> list",
        "to_datetime to_numeric to_timedelta cut qcut factorize unique isna isnull notna notnull array infer_freq eval "
        "value_counts Categorical Grouper NamedAgg IndexSlice": "view",  # to_numeric of numbers: those numbers
        "Timestamp Timestamp.now Timestamp.today Period": "-> pandas.Timestamp",
        "Timedelta DateOffset": "-> pandas.Timedelta",
        "set_option reset_option": "-> None",
        "get_option describe_option": "-> scalar",
        "option_context": "view -> context",
        "ExcelWriter HDFStore ExcelFile": "-> pandas.Store",
        "tseries.*": "-> immutable",
        "offsets.*": "-> immutable",
        "testing.*": "-> None",
        "plotting.*": "-> matplotlib.Axes",
        "api.types.*": "-> bool",
        "util.*": "",
    },
    "polars.": {
        "DataFrame from_dict from_dicts from_records from_numpy from_pandas from_arrow read_csv read_parquet read_json "
        "read_ipc read_excel read_database concat": "-> polars.DataFrame",
        "Series": "-> polars.Series",
        "scan_csv scan_parquet scan_ipc scan_ndjson LazyFrame": "-> polars.LazyFrame",
        "Config": "-> context",
        _EXPRESSIONS: "-> polars.Expr",
        "Schema": "parts -> dict",
        "*": "view",  # a frame, a list, a type
    },
}

METHODS = {
    "pandas.DataFrame": {
        "get": "parts view",  # the default, if there is no such column
        f"{_SHAPED} {_FRAME}": "view inplace -> pandas.DataFrame",
        "where mask": "parts view inplace -> pandas.DataFrame",  # a cell may be the very list that was given
        _REDUCED: "-> pandas.Series",
        f"{_WRITERS} {_FRAME_WRITERS}": "arg0? -> str",  # a path, or a buffer that is written to
        "to_sql": "arg1 kw:con -> int",  # a connection is another one afterwards
        "insert": "self -> None",
        "update": "self -> None",
        "pop": "self -> pandas.Series",
        "groupby resample": "view -> pandas.GroupBy",
        "eval": "opaque inplace view -> pandas.DataFrame",
        "query": "opaque inplace view -> pandas.DataFrame",
        "iterrows itertuples items": "parts -> iterator",
        "to_numpy to_records": "view -> numpy.ndarray",
        "to_dict": "parts -> dict",
        "info": "-> None",
        "plot hist boxplot": "-> matplotlib.Axes",
    },
    "pandas.Series": {
        "get": "parts view",
        f"{_SHAPED} {_SERIES}": "view inplace -> pandas.Series",
        "where mask": "parts view inplace -> pandas.Series",
        f"{_REDUCED} argmin argmax item": "-> scalar",
        _WRITERS: "arg0? -> str",  # a path, or a buffer that is written to
        "to_sql": "arg1 kw:con -> int",  # a connection is another one afterwards
        "update": "self holds -> None",
        "pop": "self",
        "groupby resample": "view -> pandas.GroupBy",
        "items": "parts -> iterator",
        "to_numpy unique": "view -> numpy.ndarray",
        "to_list tolist": "parts -> list",
        "to_dict": "parts -> dict",
        "factorize": "-> tuple",
        "plot hist": "-> matplotlib.Axes",
    },
    "pandas.Index": {
        "all any argmax argmin argsort asof diff duplicated factorize get_indexer_for get_slice_bound identical "
        "infer_objects is_ isnull notna notnull isocalendar item join mean memory_usage nunique ravel "
        "remove_unused_levels reorder_levels searchsorted slice_indexer sortlevel std to_flat_index to_julian_date "
        "to_pydatetime transpose truncate value_counts view": "view",
        "set_names rename": "view inplace -> pandas.Index",
        "tolist to_list": "parts -> list",
        "to_numpy": "view -> numpy.ndarray",
        "get_loc get_indexer": "",  # where a label occurs several times: an array
        "equals slice_locs": "-> scalar",
        "to_frame": "view -> pandas.DataFrame", "to_series": "view -> pandas.Series",
        "append astype copy delete difference drop drop_duplicates dropna fillna insert intersection isin isna map "
        "putmask repeat reindex sort_values strftime symmetric_difference take union unique "
        "where day_name month_name normalize to_period tz_localize tz_convert shift floor ceil round "
        "get_level_values droplevel swaplevel set_levels set_codes max min": "view -> pandas.Index",
    },
    # What a GroupBy, a Rolling or an accessor does is computed from the frame; the frame stays as it is.
    "pandas.GroupBy": {
        "__iter__": "parts -> iterator",
        "plot hist boxplot": "-> matplotlib.Axes",
        "rolling expanding ewm resample": "view -> pandas.GroupBy",
        "pipe": "view",
        "size count sum mean median min max std var sem prod first last nth agg aggregate apply transform filter head "
        "tail cumsum cumcount cumprod cummax cummin rank shift diff pct_change describe nunique value_counts quantile "
        "ngroup idxmax idxmin fillna ffill bfill any all sample corr cov ohlc get_group "
        "skew": "-> pandas.DataFrame",
    },
    "pandas.Accessor": {
        "*": "-> pandas.Series",
    },
    "pandas.Plot": {"*": "-> matplotlib.Axes"},
    "pandas.Timestamp pandas.Timedelta": {"isoformat": "-> str", "*": "-> pandas.Timestamp"},
    "pandas.Timestamp": {"strftime": "-> str"},
    "pandas.Styler": {"to_excel to_html to_latex": "-> str", "*": "self same"},
    "polars.DataFrame": {
        "insert_column replace_column extend": "self same",
        "hstack vstack rechunk shrink_to_fit": "self? view -> polars.DataFrame",  # in_place
        "get_columns partition_by": "parts -> list",
        "write_csv write_parquet write_json write_ipc write_excel write_database": "-> None",
        "get_column to_series": "view -> polars.Series",
        "group_by groupby": "view -> polars.GroupBy",
        "lazy": "view -> polars.LazyFrame",
        "to_numpy": "view -> numpy.ndarray",
        "to_pandas": "-> pandas.DataFrame",
        "to_dict": "-> dict",
        "to_dicts rows": "-> list",
        "iter_rows": "-> iterator",
        "item": "-> scalar",
        "select with_columns filter sort head tail limit slice drop rename join pivot unpivot melt unique sample "
        "describe fill_null fill_nan drop_nulls with_row_index with_row_count explode transpose clone cast null_count "
        "sum mean median min max std var quantile n_unique is_duplicated is_unique reverse shift top_k bottom_k "
        "glimpse estimated_size equals pipe unnest join_asof": (
            "view -> polars.DataFrame"
        ),
    },
    "polars.LazyFrame": {"collect fetch describe": "-> polars.DataFrame", "*": "view -> polars.LazyFrame"},
    "polars.GroupBy": {"*": "-> polars.DataFrame"},
    "polars.Expr": {"*": "-> polars.Expr"},
    "polars.Series": {
        "append extend scatter set_at_idx": "self same",
        "sort": "self? view -> polars.Series",  # in_place
        "to_list": "-> list",
        "to_numpy": "view -> numpy.ndarray",
        "sum mean median min max std var quantile n_unique len": "-> scalar",
        "alias cast unique head tail filter map_elements value_counts is_null fill_null rename clone round diff "
        "shift cum_sum rank replace is_in": "view -> polars.Series",
    },
}  # fmt: skip

ATTRIBUTES = {
    "pandas.DataFrame": {
        "shape": "immutable", "size ndim empty": "scalar", "values": "numpy.ndarray", "T": "pandas.DataFrame",
        "index columns": "pandas.Index", "dtypes": "pandas.Series", "iloc loc at iat": "pandas.Indexer",
        "plot": "pandas.Plot", "style": "pandas.Styler",
        "*": "pandas.Series",  # df.price is df["price"]
    },
    "pandas.Series": {
        "shape name dtype": "immutable", "size ndim empty hasnans is_unique": "scalar",
        "values array": "numpy.ndarray", "index": "pandas.Index", "str dt cat": "pandas.Accessor",
        "iloc loc at iat": "pandas.Indexer", "plot": "pandas.Plot", "T": "pandas.Series",
    },
    "pandas.Index": {
        "shape name names dtype": "immutable", "size ndim empty is_unique": "scalar", "values": "numpy.ndarray",
        "str": "pandas.Accessor", "year month day hour minute dayofweek weekday quarter": "pandas.Index",
    },
    "pandas.GroupBy": {"[]": "pandas.GroupBy", "groups indices": "dict", "plot": "pandas.Plot"},
    "pandas.Accessor": {"*": "pandas.Series", "[]": "pandas.Series"},
    "pandas.Indexer": {"[]": "pandas.Part"},
    "polars.DataFrame": {"shape": "immutable", "height width": "int", "columns dtypes": "list", "schema": "dict"},
    "polars.Series": {"shape name dtype": "immutable"},
    "polars.Expr": {"*": "polars.Expr"},
}  # fmt: skip

OTHER_VERSIONS = words(
    "pandas.read_gbq pandas.value_counts pandas.DataFrame.pad pandas.DataFrame.backfill pandas.DataFrame.append "
    "pandas.DataFrame.swapaxes pandas.DataFrame.first pandas.DataFrame.last pandas.DataFrame.bool "
    "pandas.DataFrame.applymap pandas.DataFrame.mad pandas.DataFrame.to_gbq pandas.Series.pad pandas.Series.backfill "
    "pandas.Series.append pandas.Series.swapaxes pandas.Series.first pandas.Series.last pandas.Series.bool "
    "pandas.Series.view pandas.Series.ravel pandas.Series.mad pandas.GroupBy.fillna "
    "polars.DataFrame.groupby polars.DataFrame.melt polars.DataFrame.with_row_count polars.Series.set_at_idx "
    "polars.LazyFrame.fetch"
)
"""Gone from pandas 2 or 3, and from polars 1 or 2."""
