"""NumPy and SciPy. NumPy's functions change an argument only through ``out``, but for the few that are listed so."""

_VIEWS = (
    "asarray asanyarray ascontiguousarray asfortranarray atleast_1d atleast_2d atleast_3d ravel reshape transpose "
    "squeeze expand_dims swapaxes moveaxis rollaxis broadcast_to broadcast_arrays split array_split hsplit vsplit "
    "dsplit diagonal flip fliplr flipud rot90 real imag nditer ndenumerate frombuffer lib.stride_tricks.as_strided "
    "lib.stride_tricks.sliding_window_view meshgrid ix_ matrix asmatrix permute_dims matrix_transpose real_if_close "
    "require einsum trim_zeros polyder polyint histogram_bin_edges apply_over_axes"
)
_ARRAYS = (
    "array zeros ones empty full eye identity arange linspace logspace geomspace zeros_like ones_like empty_like "
    "full_like fromiter fromfunction fromstring loadtxt genfromtxt fromfile concatenate stack vstack hstack dstack "
    "column_stack row_stack block tile repeat append insert delete unique sort argsort lexsort partition argpartition "
    "where nonzero flatnonzero argwhere searchsorted digitize bincount cumsum cumprod nancumsum "
    "nancumprod diff ediff1d gradient convolve correlate interp exp exp2 expm1 log log2 log10 log1p sqrt cbrt square "
    "power sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh hypot degrees radians "
    "deg2rad rad2deg unwrap round around rint fix floor ceil trunc add subtract multiply divide true_divide "
    "floor_divide mod remainder fmod negative positive reciprocal absolute abs fabs sign maximum minimum fmax fmin "
    "clip heaviside isnan isinf isfinite isneginf isposinf isin in1d intersect1d union1d setdiff1d "
    "setxor1d logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_xor invert left_shift "
    "right_shift greater greater_equal less less_equal equal not_equal isclose roll outer inner dot vdot matmul "
    "tensordot kron cross cov corrcoef tri tril triu diag diagflat vander copy pad resize take take_along_axis "
    "choose compress extract select piecewise apply_along_axis vectorize frompyfunc polyfit polyval "
    "polyadd polysub polymul poly roots percentile quantile nanpercentile nanquantile "
    "angle conj conjugate sinc i0 triu_indices tril_indices indices unravel_index "
    "ravel_multi_index hamming hanning blackman bartlett kaiser packbits unpackbits datetime64 timedelta64 "
    "float_power gcd lcm spacing nextafter ldexp copysign signbit modf frexp trapz trapezoid bmat mgrid ogrid "
    "busday_offset busday_count is_busday datetime_as_string concat astype vecdot cumulative_sum cumulative_prod"
)
_REDUCTIONS = (
    "sum prod mean average median std var min max amin amax ptp nanmin nanmax nansum nanprod nanmean nanmedian nanstd "
    "nanvar argmin argmax nanargmin nanargmax all any count_nonzero allclose array_equal array_equiv ndim size shape "
    "isscalar iscomplexobj isrealobj iscomplex isreal may_share_memory shares_memory result_type promote_types "
    "can_cast issubdtype trace iterable array2string array_repr array_str base_repr binary_repr "
    "format_float_positional get_printoptions cbrt"
)

FUNCTIONS = {
    "numpy.": {
        _VIEWS: "view -> numpy.ndarray",
        _ARRAYS: "-> numpy.ndarray",
        _REDUCTIONS: "",
        "nan_to_num": "nocopy -> numpy.ndarray",
        "mintypecode": "view",  # the default
        # Of an array of this type: that array. The bins of a histogram: those that were given.
        "float64 float32 float16 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool_ str_ complex64 complex128 "
        "longdouble intp": "view",
        "histogram histogram2d histogramdd": "view",
        "dtype": "-> numpy.dtype",
        "finfo iinfo": "-> immutable",
        "copyto put place put_along_axis fill_diagonal putmask": "arg0 -> None",
        "add.at subtract.at multiply.at divide.at maximum.at minimum.at": "arg0 -> None",
        "save savetxt savez savez_compressed": "-> None",
        "load": "",
        "seterr seterrcall set_printoptions setbufsize": "-> dict",
        "errstate printoptions": "view -> context",
        "nditer": "view",
        "info show_config": "-> None",
        "fft.*": "-> numpy.ndarray",
        "linalg.norm linalg.det linalg.cond linalg.matrix_rank": "",  # with an axis, or of several matrices: arrays
        "linalg.matrix_power linalg.matrix_transpose linalg.diagonal": "view -> numpy.ndarray",
        "linalg.*": "-> numpy.ndarray",
        "testing.*": "-> None",
        "ma.array ma.masked_array ma.MaskedArray ma.masked_where ma.masked_invalid ma.masked_equal ma.masked_not_equal "
        "ma.masked_greater ma.masked_greater_equal ma.masked_less ma.masked_less_equal ma.masked_inside "
        "ma.masked_outside ma.masked_values ma.masked_object ma.getmask ma.getmaskarray ma.getdata ma.filled "
        "ma.compressed ma.is_masked ma.count ma.zeros ma.ones ma.empty ma.masked_all ma.vstack ma.hstack "
        "ma.column_stack": "view -> numpy.ndarray",
        "char.* strings.*": "view arg1? arg2? arg4? -> numpy.ndarray",
        "polynomial.*": "view",
        "random.seed random.set_state": "-> None",
        "random.shuffle": "arg0 -> None",
        "random.default_rng": "-> numpy.random.Generator",
        "random.Generator": "view -> numpy.random.Generator",
        "random.RandomState": "-> numpy.random.RandomState",
        "random.SeedSequence random.PCG64 random.MT19937 random.Philox random.SFC64": "-> numpy.random.BitGenerator",
        "random.get_state": "-> tuple",
        "random.choice": "",
        "random.permutation": "-> numpy.ndarray",
        "random.*function": "-> numpy.ndarray",
        "poly1d": "-> numpy.poly1d",
        "core.records.fromarrays rec.fromarrays": "-> numpy.ndarray",
        "add.reduce multiply.reduce maximum.reduce minimum.reduce add.accumulate maximum.accumulate "
        "minimum.accumulate multiply.accumulate multiply.outer add.outer subtract.outer logical_and.reduce "
        "logical_or.reduce": "-> numpy.ndarray",
    },
    "scipy.": {
        # SciPy may overwrite what it is given only if told so (overwrite_a, overwrite_x).
        "stats.*function": "view",  # stats.norm(loc, scale) keeps them
        "stats.*Type": "parts -> scipy.stats.distribution",
        "stats.mstats.winsorize": "arg0? view",
        "stats.norm.* stats.t.* stats.uniform.* stats.expon.* stats.chi2.* stats.f.* stats.gamma.* stats.beta.* "
        "stats.poisson.* stats.binom.* stats.lognorm.*": "view",
        "special.*": "",
        "linalg.*": "",
        "fft.* fftpack.*": "",
        # A window of one's own is scaled in place, and so is the phase.
        "signal.csd signal.coherence": "arg3? kw:window view",
        "signal.welch signal.periodogram signal.spectrogram signal.sweep_poly": "arg2? kw:window kw:phi view",
        "signal.ShortTimeFFT": "arg0? view",
        "signal.*": "view kw:window",
        "linalg.cho_factor linalg.fractional_matrix_power fft.set_workers fft.set_backend": "view",
        "fftpack.convolve.*": "arg0? view",
        "integrate.ode integrate.complex_ode": "parts",
        "integrate.*function": "",
        "integrate.*Type optimize.*Type": "parts",
        "interpolate.*function": "",
        "interpolate.*Type": "view -> scipy.interpolate.Function",
        "optimize.linesearch.*": "view",
        "optimize.*function": "",
        "spatial.distance.*Type": "parts",
        "spatial.distance.*": "",
        "sparse.csr_matrix sparse.csc_matrix sparse.coo_matrix sparse.lil_matrix sparse.csr_array": (
            "view -> scipy.sparse.matrix"
        ),
        "sparse.csgraph.laplacian": "arg0? view",
        "sparse.*": "view",
        "ndimage.*": "kw:output view",
        "cluster.*": "",
        "constants.*": "",
        "io.loadmat": "-> dict",
        "misc.* datasets.*": "",
    },
}  # fmt: skip

METHODS = {
    "numpy.ndarray": {
        # conj of real numbers: they themselves
        "reshape ravel view transpose squeeze swapaxes diagonal astype conj conjugate": "view -> numpy.ndarray",
        "byteswap": "self? view -> numpy.ndarray",  # inplace, also by position
        "copy flatten repeat cumsum cumprod round clip argsort dot take compress choose nonzero "
        "searchsorted argpartition trace": "-> numpy.ndarray",
        "sum prod mean std var min max ptp argmin argmax all any item": "",
        "tolist": "-> list",
        "tobytes tostring dumps": "-> bytes",
        "getfield": "view",
        "sort partition resize setflags": "self -> None",
        "fill put itemset setfield": "self holds -> None",  # an array of objects keeps them
        "tofile dump": "-> None",
        "filled compressed": "-> numpy.ndarray",
    },
    "numpy.random.Generator": {
        "shuffle": "self arg0 -> None",
        "random standard_normal": "self arg2 -> numpy.ndarray",  # out
        "standard_exponential standard_gamma": "self arg3 -> numpy.ndarray",
        "permuted": "self view -> numpy.ndarray",
        "*": "self -> numpy.ndarray",
    },
    "numpy.random.RandomState": {
        "shuffle": "self arg0 -> None",
        "get_state": "-> tuple",
        "*": "self -> numpy.ndarray",
    },
    "numpy.poly1d": {"*": "-> numpy.poly1d"},
    "scipy.stats.distribution": {"rvs": "-> numpy.ndarray", "*": ""},
    "scipy.sparse.matrix": {
        "resize setdiag sort_indices sum_duplicates eliminate_zeros": "self -> None",
        "dot multiply": "view",
        "copy power sum mean max min argmax argmin nonzero getnnz count_nonzero": "",
        "toarray todense": "-> numpy.ndarray",
        "maximum minimum ceil floor rint sign sqrt sin tan log1p expm1 diagonal nanmax nanmin trace": "",
        "asformat astype reshape tobsr todia conj conjugate": "view -> scipy.sparse.matrix",
        "tocsr tocsc tocoo tolil todok transpose getrow getcol": "view -> scipy.sparse.matrix",
    },
}

ATTRIBUTES = {
    "numpy.ndarray": {
        "shape strides": "immutable", "ndim size itemsize nbytes": "int", "dtype": "numpy.dtype",
        "T real imag flat base": "numpy.ndarray",
    },
    "numpy": {"pi e inf nan euler_gamma newaxis": "scalar"},
    "scipy.sparse.matrix": {"shape": "immutable", "nnz ndim": "int", "T": "scipy.sparse.matrix"},
}  # fmt: skip

OUTS = {
    "numpy.": {
        "arg1": (
            "abs absolute arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil conj conjugate cos cosh deg2rad "
            "degrees exp exp2 expm1 fabs fix floor frexp invert isfinite isinf isnan isneginf isposinf log log10 "
            "log1p log2 logical_not modf negative positive rad2deg radians reciprocal rint sign signbit sin sinh "
            "spacing sqrt square tan tanh trunc"
        ),
        "arg2": (
            "add all amax amin any arctan2 argmax argmin around bitwise_and bitwise_or bitwise_xor choose concat "
            "concatenate copysign divide dot equal float_power floor_divide fmax fmin fmod gcd greater "
            "greater_equal heaviside hypot lcm ldexp left_shift less less_equal logical_and logical_or "
            "logical_xor matmul max maximum median min minimum mod multiply nanargmax nanargmin nanmax nanmedian "
            "nanmin nextafter not_equal outer power ptp remainder right_shift round stack subtract true_divide "
            "vecdot frexp modf"
        ),
        "arg3": (
            "add.accumulate add.reduce clip compress cumprod cumsum logical_and.reduce logical_or.reduce "
            "maximum.accumulate maximum.reduce mean minimum.accumulate minimum.reduce multiply.accumulate "
            "multiply.reduce nancumprod nancumsum nanmean nanpercentile nanprod nanquantile nanstd nansum nanvar "
            "percentile prod quantile std sum take var"
        ),
        "arg4": "is_busday",
        "arg5": "busday_count trace",
        "arg6": "busday_offset",
    },
    "scipy.linalg.": {
        "over1": "cholesky_banded det inv lu_factor qr rq svdvals",
        "over2": "cho_factor cho_solve cho_solve_banded cholesky eigvals eigvals_banded hessenberg lu solveh_banded",
        "over3": "eig_banded ldl lstsq lu_solve schur solve solve_banded svd",
        "over4": "eig matrix_balance ordqz qr_update",
        "over5": "qr_delete qr_multiply qz solve_triangular",
        "over6": "qr_insert",
    },
    "scipy.fft.": {
        "over4": (
            "fft fft2 fftn hfft hfft2 hfftn ifft ifft2 ifftn ihfft ihfft2 ihfftn irfft irfft2 irfftn rfft rfft2 rfftn"
        ),
        "over5": "dct dctn dst dstn idct idctn idst idstn",
    },
    "scipy.fftpack.": {
        "over3": "fft fft2 fftn ifft ifft2 ifftn irfft rfft",
        "over5": "dct dctn dst dstn idct idctn idst idstn",
    },
    "scipy.signal.": {
        "over4": "detrend",
    },
    "scipy.ndimage.": {
        "arg1?": "laplace",
        "arg2?": (
            "binary_fill_holes convolve correlate gaussian_gradient_magnitude gaussian_laplace "
            "generic_gradient_magnitude generic_laplace label map_coordinates prewitt shift sobel spline_filter "
            "uniform_filter zoom"
        ),
        "arg3?": (
            "binary_closing binary_hit_or_miss binary_opening binary_propagation convolve1d correlate1d "
            "gaussian_filter geometric_transform maximum_filter maximum_filter1d median_filter minimum_filter "
            "minimum_filter1d spline_filter1d uniform_filter1d watershed_ift"
        ),
        "arg4?": (
            "affine_transform binary_dilation binary_erosion black_tophat distance_transform_cdt "
            "distance_transform_edt fourier_ellipsoid fourier_gaussian fourier_shift fourier_uniform "
            "gaussian_filter1d generic_filter generic_filter1d grey_closing grey_dilation grey_erosion "
            "grey_opening morphological_gradient morphological_laplace percentile_filter rank_filter rotate "
            "white_tophat"
        ),
        "arg5?": "distance_transform_bf distance_transform_cdt distance_transform_edt",
        "arg6?": "distance_transform_bf",
    },
    "scipy.special.": {
        "arg1": (
            "airy airye bei beip ber berp cbrt cosdg cosm1 cotdg dawsn digamma ellipe ellipk ellipkm1 entr erf "
            "erfc erfcinv erfcx erfi erfinv exp1 exp10 exp2 expi expit expm1 exprel fresnel gamma gammaln "
            "gammasgn i0 i0e i1 i1e it2i0k0 it2j0y0 it2struve0 itairy iti0k0 itj0y0 itmodstruve0 itstruve0 j0 j1 "
            "k0 k0e k1 k1e kei keip kelvin ker kerp kolmogi kolmogorov log1p log_expit log_ndtr loggamma logit "
            "modfresnelm modfresnelp ndtr ndtri ndtri_exp psi rgamma round shichi sici sindg spence tandg wofz "
            "wrightomega y0 y1 zetac"
        ),
        "arg2": (
            "agm airy airye beta betaln binom boxcox boxcox1p chdtr chdtrc chdtri chdtriv ellipeinc ellipj "
            "ellipkinc elliprc eval_chebyc eval_chebys eval_chebyt eval_chebyu eval_hermite eval_hermitenorm "
            "eval_laguerre eval_legendre eval_sh_chebyt eval_sh_chebyu eval_sh_legendre expn fresnel gammainc "
            "gammaincc gammainccinv gammaincinv hankel1 hankel1e hankel2 hankel2e huber hyp0f1 inv_boxcox "
            "inv_boxcox1p it2i0k0 it2j0y0 itairy iti0k0 itj0y0 iv ive jn jv jve kelvin kl_div kn kv kve mathieu_a "
            "mathieu_b modfresnelm modfresnelp modstruve owens_t pbdv pbvv pbwa pdtr pdtrc pdtri pdtrik poch "
            "powm1 pseudo_huber rel_entr shichi sici smirnov smirnovi stdtr stdtridf stdtrit struve tklmbda "
            "xlog1py xlogy yn yv yve zeta"
        ),
        "arg3": (
            "airy airye bdtr bdtrc bdtri bdtrik bdtrin besselpoly betainc betaincc betainccinv betaincinv btdtria "
            "btdtrib chndtr chndtridf chndtrinc chndtrix ellipj elliprd elliprf elliprg eval_gegenbauer "
            "eval_genlaguerre fdtr fdtrc fdtri fdtridfd gdtr gdtrc gdtria gdtrib gdtrix hyp1f1 hyperu itairy "
            "kelvin log_wright_bessel lpmv mathieu_cem mathieu_modcem1 mathieu_modcem2 mathieu_modsem1 "
            "mathieu_modsem2 mathieu_sem nbdtr nbdtrc nbdtri nbdtrik nbdtrin nctdtr nctdtridf nctdtrinc nctdtrit "
            "nrdtrimn nrdtrisd obl_cv pbdv pbvv pbwa pro_cv radian voigt_profile wright_bessel"
        ),
        "arg4": (
            "airy airye ellipj elliprj eval_jacobi eval_sh_jacobi hyp2f1 itairy kelvin mathieu_cem "
            "mathieu_modcem1 mathieu_modcem2 mathieu_modsem1 mathieu_modsem2 mathieu_sem ncfdtr ncfdtri "
            "ncfdtridfd ncfdtridfn ncfdtrinc obl_ang1 obl_rad1 obl_rad2 pro_ang1 pro_rad1 pro_rad2"
        ),
        "arg5": (
            "ellipj obl_ang1 obl_ang1_cv obl_rad1 obl_rad1_cv obl_rad2 obl_rad2_cv pro_ang1 pro_ang1_cv pro_rad1 "
            "pro_rad1_cv pro_rad2 pro_rad2_cv"
        ),
        "arg6": ("obl_ang1_cv obl_rad1_cv obl_rad2_cv pro_ang1_cv pro_rad1_cv pro_rad2_cv"),
    },
    "numpy.ndarray": {
        "arg1": "round dot choose min max argmin argmax all any",
        "arg2": "cumsum cumprod clip take compress sum prod mean std var ptp",
        "arg4": "trace",
    },
}
"""Where ``out`` and ``overwrite_a`` may stand by position: ``np.add(a, b, total)`` changes total."""

OTHER_VERSIONS = frozenset(("numpy.in1d", "numpy.trapz", "numpy.ndarray.tostring", "numpy.ndarray.itemset"))

ALIASES = (("numpy.core.", "numpy."), ("pylab.", "matplotlib.pyplot."), ("matplotlib.pylab.", "matplotlib.pyplot."))
