# usage: one_process.py PROGRAM
import sys
import torch
import hook_torch as hook

hook.DUMP_EVERY = 2
torch.manual_seed(0)
loss_of = torch.nn.functional.cross_entropy
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
advisor = hook.MlqAdvisor([sys.argv[1], "follow", "--target", "0.5", "--warmup-steps", "2", "--state", "run.state"], timeout=60)
sent, ask = [], advisor.ask
advisor.ask = lambda request: (sent.append(request), ask(request))[1]
mlq = hook.MlqSimigrad(model, advisor, batch=16, micro=4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(6):
    batch, count = mlq.batch, mlq.batch // 4
    first = 4 * (count // 2)
    x, y = torch.randn(batch, 8), torch.randint(0, 3, (batch,))
    exact = []
    for part in (slice(0, first), slice(first, batch)):
        model.zero_grad()
        loss_of(model(x[part]), y[part]).backward()
        exact.append(torch.cat([p.grad.flatten() for p in model.parameters()]).double())
    model.zero_grad()
    for i in range(count):
        (loss_of(model(x[4 * i : 4 * i + 4]), y[4 * i : 4 * i + 4]) / count).backward()
        if i == count // 2 - 1:
            mlq.mid(first)
    scale = mlq.end(1.0, 0.1)
    assert abs(scale - (batch / 16) ** 0.5) < 1e-12, (step, scale)
    wanted = [(exact[0] @ exact[0]).item(), (exact[0] @ exact[1]).item(), (exact[1] @ exact[1]).item()]
    for one, other in zip(sent[-1]["gram"], wanted):
        assert abs(one - other) < 1e-5 * wanted[0], (step, sent[-1]["gram"], wanted)
    optimizer.step()
assert mlq.batch > 16
