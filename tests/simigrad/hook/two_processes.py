# usage: two_processes.py PROGRAM
import os, sys
import torch
import torch.distributed as dist
import torch.multiprocessing as processes


def net():
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))


def work(rank, world, program, rendezvous):
    dist.init_process_group("gloo", init_method="file://" + rendezvous, rank=rank, world_size=world)
    import hook_ddp as hook

    torch.manual_seed(0)
    model, copy, loss_of = net(), net(), torch.nn.functional.cross_entropy
    ddp = torch.nn.parallel.DistributedDataParallel(model)
    command = [program, "follow", "--target", "0.5", "--warmup-steps", "2"]
    advisor, sent = (hook.MlqAdvisor(command, timeout=60) if rank == 0 else None), []
    if advisor:
        ask = advisor.ask
        advisor.ask = lambda request: (sent.append(request), ask(request))[1]
    mlq = hook.MlqSimigrad(ddp, advisor, batch=16, micro=4)
    torch.manual_seed(rank + 1)
    for step in range(5):
        count = mlq.batch // world
        x, y = torch.randn(count, 8), torch.randint(0, 3, (count,))
        copy.load_state_dict(model.state_dict())
        copy.zero_grad()
        loss_of(copy(x), y).backward()
        gradient = torch.cat([p.grad.flatten() for p in copy.parameters()]).double()
        squares, mean = gradient @ gradient, gradient / world
        dist.all_reduce(squares)
        dist.all_reduce(mean)
        ddp.zero_grad()
        loss_of(ddp(x), y).backward()
        mlq.end(1.0, 0.1)
        if rank == 0:
            assert abs(sent[-1]["norm_sq_sum"] / squares.item() - 1) < 1e-6, step
            assert abs(sent[-1]["mean_norm_sq"] / (mean @ mean).item() - 1) < 1e-6, step
        batches = torch.tensor([mlq.batch, -mlq.batch])
        dist.all_reduce(batches, op=dist.ReduceOp.MAX)
        assert batches[0] == -batches[1], "the ranks have different batches"
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
    assert mlq.batch > 16
    dist.destroy_process_group()


if __name__ == "__main__":
    processes.spawn(work, args=(2, sys.argv[1], os.path.abspath("rendezvous")), nprocs=2)
