"""W2 as `torch.nn.DataParallel` trains it, with a loss weighted by samples: replicas normalise their own part of a batch."""

import torch

import output
import workloads

STEPS = 50


def fit(replicas, batch_size):
    (x, y), _ = workloads.data("w2")
    model = workloads.make("w2")
    parameters = dict(model.named_parameters())
    optimizer = torch.optim.SGD(parameters.values(), lr=0.05, momentum=0.9)
    losses = []
    per_epoch = len(x) // batch_size
    for step in range(STEPS):
        start = step % per_epoch * batch_size
        parts = zip(x[start : start + batch_size].chunk(replicas), y[start : start + batch_size].chunk(replicas))
        # The first replica changes the model's own buffers, the others copies made before the step.
        copies = [{name: buffer.clone() for name, buffer in model.named_buffers()} for _ in range(replicas)]
        copies[0] = dict(model.named_buffers())
        loss = 0
        for (images, labels), buffers in zip(parts, copies):
            logits = torch.func.functional_call(model, {**parameters, **buffers}, (images,))
            loss = loss + workloads.loss(logits, labels) * (len(images) / batch_size)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    buffers = {name: value for name, value in model.named_buffers() if value.numel() > 1}
    return {
        "replicas": replicas,
        "batch_size": batch_size,
        "losses": losses,
        "buffers": output.summaries(buffers),
        "final_weights": output.summaries(parameters),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    runs = {f"{replicas} replicas, batch {batch}": fit(replicas, batch) for replicas, batch in [(2, 32), (3, 32), (4, 30)]}
    output.write("data-parallel.json", {"workload": "w2", "relative_tolerance": 1e-4, "runs": runs})
