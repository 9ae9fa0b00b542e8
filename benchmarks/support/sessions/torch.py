# PyTorch
# needs: torch
# %%
import torch

torch.manual_seed(0)

# %% tensor: torch.Tensor
tensor = torch.arange(6.0).reshape(2, 3)
# probe: tensor.tolist(), tensor.dtype

# %% window: torch.Tensor (a view)
window = tensor[0]
# probe: window.data_ptr() == tensor.data_ptr(), window.tolist()

# %% tracked: torch.Tensor (with a gradient)
tracked = torch.ones(2, requires_grad=True)
(tracked * 3).sum().backward()
# probe: tracked.requires_grad, tracked.grad.tolist()

# %% half: torch.Tensor (bfloat16)
half = torch.ones(3, dtype=torch.bfloat16) / 3
# probe: half.tolist(), str(half.dtype)

# %% sparse: torch.Tensor (sparse)
sparse = torch.eye(3).to_sparse()
# probe: sparse.to_dense().tolist()

# %% layer: torch.nn.Linear
layer = torch.nn.Linear(3, 2)
# probe: layer(torch.ones(3)).tolist()


# %% Net: type (a torch.nn.Module)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))

    def forward(self, x):
        return self.body(x)


# probe: issubclass(Net, torch.nn.Module)

# %% net: Net
net = Net()
# probe: net(torch.ones(3)).tolist(), len(list(net.parameters()))

# %% optimizer: torch.optim.Adam
optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
net(torch.ones(3)).sum().backward()
optimizer.step()
# probe: optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["params"][0] is next(net.parameters())

# %% schedule: torch.optim.lr_scheduler.StepLR
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
# probe: schedule.get_last_lr(), schedule.optimizer is optimizer

# %% weight: torch.nn.Parameter
weight = torch.nn.Parameter(torch.zeros(2))
# probe: weight.requires_grad, weight.tolist()

# %% pairs: torch.utils.data.TensorDataset
pairs = torch.utils.data.TensorDataset(tensor, torch.tensor([0, 1]))
# probe: pairs[1][0].tolist()

# %% loader: torch.utils.data.DataLoader
loader = torch.utils.data.DataLoader(pairs, batch_size=2)
# probe: [b[1].tolist() for b in loader]

# %% source: torch.Generator
source = torch.Generator().manual_seed(5)
torch.rand(1, generator=source)
# probe: torch.rand(2, generator=source).tolist()

# %% scripted: torch.jit.TopLevelTracedModule
scripted = torch.jit.trace(torch.nn.ReLU(), torch.ones(2))
# probe: scripted(torch.tensor([-1.0, 2.0])).tolist()

# %% bell: torch.distributions.Normal
bell = torch.distributions.Normal(0.0, 1.0)
# probe: round(bell.cdf(torch.tensor(0.0)).item(), 6)

# %% place: torch.device
place = torch.device("cpu")
# probe: str(place)

# %% kind: torch.dtype
kind = torch.float16
# probe: kind is torch.float16
