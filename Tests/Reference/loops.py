"""Training loops that are more than one optimizer's step per batch: two optimizers, accumulation, averaged weights.

The weights, samples and settings are those of the scenarios `gan` and `loops` of Tests/Support/training-probe.
"""

import torch
from torch import nn
from torch.nn import functional
from torch.optim import swa_utils

import output

SAMPLES = 24
BATCH = 4


def remainders(start, count):
    return (torch.arange(start, start + count) * 7919 + 13) % 101


def fill(module):
    """The formula of `fill(_:)` in the probe."""
    for number, parameter in enumerate(module.parameters()):
        values = (torch.arange(parameter.numel()) * 7919 + 31 * number + 13) % 101
        with torch.no_grad():
            parameter.copy_((values.float() / 101 - 0.5).reshape(parameter.shape))


def data():
    inputs = (remainders(0, 4 * SAMPLES).float() / 101 - 0.5).reshape(SAMPLES, 4)
    return inputs, torch.arange(SAMPLES) % 3


def batches():
    inputs, labels = data()
    return list(zip(inputs.split(BATCH), labels.split(BATCH), strict=True))


class Part(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, outputs)

    def forward(self, inputs):
        return self.fc2(self.fc1(inputs).relu())


class GAN(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = Part(4)
        self.discriminator = Part(1)
        fill(self)


def judge(logits, truth):
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))


def require_gradients(module, required):
    for parameter in module.parameters():
        parameter.requires_grad_(required)


def gan(epochs=3, window=1, clip=None):
    model = GAN()
    generator, discriminator = model.generator, model.discriminator
    first = torch.optim.Adam(generator.parameters(), lr=0.01)
    second = torch.optim.SGD(discriminator.parameters(), lr=0.1, momentum=0.9)
    schedules = [
        torch.optim.lr_scheduler.StepLR(first, step_size=1, gamma=0.5),
        torch.optim.lr_scheduler.ExponentialLR(second, gamma=0.8),
    ]
    losses = {"generator": [], "discriminator": []}
    for _ in range(epochs):
        for index, (real, _) in enumerate(batches()):
            is_last = (index + 1) % window == 0
            noise = real * 0.5
            require_gradients(discriminator, False)
            loss = judge(discriminator(generator(noise)), 1.0)
            losses["generator"].append(loss.item())
            (loss / window).backward()
            if is_last:
                if clip:
                    nn.utils.clip_grad_norm_(generator.parameters(), clip)
                first.step()
                first.zero_grad()
            require_gradients(discriminator, True)
            require_gradients(generator, False)
            forged = discriminator(generator(noise).detach())
            loss = (judge(discriminator(real), 1.0) + judge(forged, 0.0)) / 2
            losses["discriminator"].append(loss.item())
            (loss / window).backward()
            if is_last:
                second.step()
                second.zero_grad()
            require_gradients(generator, True)
        for schedule in schedules:
            schedule.step()
    return {**losses, "weights": output.tensors(model.state_dict())}


class Classifier(nn.Module):
    def __init__(self, has_norm):
        super().__init__()
        self.fc1 = nn.Linear(4, 6)
        if has_norm:
            self.norm = nn.BatchNorm1d(6)
        self.fc2 = nn.Linear(6, 3)
        fill(self)

    def forward(self, inputs):
        hidden = self.fc1(inputs)
        return self.fc2((self.norm(hidden) if hasattr(self, "norm") else hidden).relu())


def averaged(has_norm, strategy="cos", annealing=2, epochs=5, start=1):
    model = Classifier(has_norm)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    average = swa_utils.AveragedModel(model)
    schedule = None
    rates = []
    for epoch in range(epochs):
        if epoch == start:
            schedule = swa_utils.SWALR(optimizer, swa_lr=0.05, anneal_epochs=annealing, anneal_strategy=strategy)
        rates.append(optimizer.param_groups[0]["lr"])
        for inputs, labels in batches():
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
        if epoch >= start:
            average.update_parameters(model)
        if schedule:
            schedule.step()
    if has_norm:
        swa_utils.update_bn((inputs for inputs, _ in batches()), average)
    return {"rates": rates, "weights": output.tensors(average.module.state_dict())}


def accumulated(factors):
    """`factors[e]` batches go into a step in epoch e; what is left at the end of the epoch makes a last one."""
    model = Classifier(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    steps = 0
    for factor in factors:
        optimizer.zero_grad()
        for index, (inputs, labels) in enumerate(batches()):
            (functional.cross_entropy(model(inputs), labels) / factor).backward()
            if (index + 1) % factor == 0 or index + 1 == SAMPLES // BATCH:
                optimizer.step()
                optimizer.zero_grad()
                steps += 1
    return {"steps": steps, "weights": output.tensors(model.state_dict())}


if __name__ == "__main__":
    torch.set_num_threads(1)
    output.write(
        "loops.json",
        {
            "relative_tolerance": 1e-5,
            "gan": {"plain": gan(), "window": gan(window=2), "clip": gan(clip=0.05)},
            "averaged": {
                "cosine": averaged(False),
                "linear": averaged(False, strategy="linear"),
                "norm": averaged(True),
            },
            "accumulated": {"schedule": accumulated([2, 2, 4, 1])},
        },
    )
