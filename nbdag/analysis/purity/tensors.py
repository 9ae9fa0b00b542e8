"""torch: functions and methods whose name ends in an underscore change their receiver, and so do the listed ones."""

_TENSORS = (
    "tensor zeros ones empty full arange linspace logspace eye zeros_like ones_like full_like empty_like rand randn "
    "randint randperm rand_like randn_like normal bernoulli multinomial cat stack hstack vstack where exp log log2 "
    "log10 log1p sqrt abs sin cos tan tanh sigmoid relu softmax log_softmax matmul mm bmm mv dot add sub mul "
    "div pow maximum minimum clamp sum mean std var median max min argmax argmin sort argsort topk unique cumsum "
    "cumprod norm allclose equal isnan isinf isfinite round floor ceil sign roll flip tril triu diag outer cross "
    "logical_and logical_or logical_not eq ne lt le gt ge prod all any clone"
)
_VIEWS = (
    "from_numpy as_tensor reshape squeeze unsqueeze transpose t permute flatten chunk split ravel unbind einsum "
    "meshgrid"
)

FUNCTIONS = {
    "torch.": {
        _TENSORS: "-> torch.Tensor",
        _VIEWS: "view -> torch.Tensor",
        "device": "-> torch.device",
        "manual_seed set_default_dtype set_num_threads set_grad_enabled use_deterministic_algorithms seed "
        "set_default_device set_printoptions cuda.manual_seed cuda.manual_seed_all cuda.empty_cache": "-> None",
        "save": "-> None",
        "load": "",
        "no_grad enable_grad inference_mode autocast": "view -> context",
        "is_tensor cuda.is_available cuda.device_count numel": "-> scalar",
        "Generator": "-> torch.Generator",
        "nn.functional.*": "-> torch.Tensor",
        "nn.utils.clip_grad_norm_ nn.utils.clip_grad_value_": "arg0",
        "nn.init.*": "arg0 same",
        "nn.*Type": "parts -> torch.nn.Module",
        "linalg.* fft.* special.*": "-> torch.Tensor",
        "optim.lr_scheduler.*Type": "view -> torch.optim.Optimizer",
        "optim.*Type": "view -> torch.optim.Optimizer",
        "utils.data.DataLoader": "parts -> torch.DataLoader",
        "utils.data.TensorDataset utils.data.Subset utils.data.random_split": "view",
    },
}

METHODS = {
    "torch.Tensor": {
        "view reshape squeeze unsqueeze transpose t permute flatten contiguous detach to cpu cuda float double half "
        "int long bool type expand expand_as chunk split narrow select unbind ravel diagonal": ("view -> torch.Tensor"),
        "numpy": "view -> numpy.ndarray",
        "clone sum mean std var max min argmax argmin abs exp log sqrt pow add sub mul div matmul mm bmm dot softmax "
        "log_softmax sigmoid tanh relu clamp round floor ceil sort argsort topk cumsum norm eq ne lt le gt ge all any "
        "prod median unique repeat gather masked_fill where index_select": "-> torch.Tensor",
        "item size dim numel nelement element_size is_contiguous data_ptr": "-> scalar",
        "tolist": "-> list",
        "backward": "self -> None",
        "requires_grad_ zero_ fill_ add_ sub_ mul_ div_ copy_ clamp_ uniform_ normal_ scatter_ index_fill_ "
        "masked_fill_ resize_ squeeze_ unsqueeze_ random_ exponential_ bernoulli_": "self same",
    },
    "torch.nn.Module": {
        "parameters named_parameters children modules named_modules buffers": "parts -> iterator",
        "state_dict": "view -> dict",
        "train eval to cuda cpu half float double requires_grad_ apply load_state_dict zero_grad register_buffer "
        "add_module register_parameter": "self same",
    },
    "torch.optim.Optimizer": {"step zero_grad load_state_dict add_param_group": "self", "state_dict": "view -> dict"},
    "torch.Generator": {"manual_seed": "self same", "seed": "self -> scalar", "get_state": "-> torch.Tensor"},
}

ATTRIBUTES = {
    "torch.Tensor": {
        "shape": "torch.Size", "dtype": "torch.dtype", "device": "torch.device", "ndim is_cuda requires_grad": "scalar",
        "T data grad": "torch.Tensor",
    },
    "torch": {"float32 float64 float16 int32 int64 int8 uint8 bool long float": "torch.dtype"},
}  # fmt: skip
