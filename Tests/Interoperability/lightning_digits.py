"""The digits perceptron in Python Lightning, with the names, data and settings of `Examples/digits`."""

import logging
import sys
import warnings
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Reference"))
import workloads  # noqa: E402

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
BATCH = 32


class DigitClassifier(pl.LightningModule):
    def __init__(self, optimizer="sgd", lr=0.1, momentum=0.9, schedule="none", total_steps=100):
        super().__init__()
        self.save_hyperparameters()
        mlp = workloads.make("w1")
        self.fc1, self.fc2 = mlp.fc1, mlp.fc2

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))

    def training_step(self, batch, index):
        loss = workloads.loss(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, index):
        logits = self(batch[0])
        self.log("val/loss", workloads.loss(logits, batch[1]))
        self.log("val/accuracy", (logits.argmax(-1) == batch[1]).float().mean())

    def configure_optimizers(self):
        settings = self.hparams
        if settings.optimizer == "sgd":
            optimizer = torch.optim.SGD(self.parameters(), lr=settings.lr, momentum=settings.momentum)
        else:
            optimizer = torch.optim.AdamW(self.parameters(), lr=settings.lr)
        if settings.schedule == "step":
            schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}
        if settings.schedule == "cosine":
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=settings.total_steps)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
        return optimizer


class Batches:
    """The training samples in the order of the file; the first pass begins after the batches that a resumed run has
    seen, as Lightning's own loaders do only when they are stateful."""

    def __init__(self, first=0):
        (self.x, self.y), _ = workloads.digits()
        self.first = first

    def __len__(self):
        return len(self.x) // BATCH

    def __iter__(self):
        first, self.first = self.first, 0
        for index in range(first, len(self)):
            rows = slice(index * BATCH, (index + 1) * BATCH)
            yield self.x[rows], self.y[rows]


class Record(Callback):
    """The loss of every batch, and where the run stood when it began the first one."""

    def __init__(self):
        self.losses, self.start = {}, None

    def on_train_batch_start(self, trainer, module, batch, index):
        if not self.start:
            self.start = {"epoch": trainer.current_epoch, "global_step": trainer.global_step}

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        loss = outputs["loss"].item() * trainer.accumulate_grad_batches
        self.losses[trainer.fit_loop.epoch_loop.total_batch_idx] = loss


def place(file):
    """How many batches of the present epoch the run that wrote `file` had done."""
    loop = torch.load(file, weights_only=True)["loops"]["fit_loop"]
    epoch = loop["epoch_progress"]["current"]
    return loop["epoch_loop.batch_progress"]["current"]["processed"] if epoch["started"] > epoch["processed"] else 0


def fit(case, folder, resume=None, save_at=None):
    """Trains from the reference weights, or goes on from a file; returns the record and the trainer."""
    module = DigitClassifier(case.optimizer, case.learning_rate, 0.9, case.schedule, case.steps)
    record = Record()
    best = ModelCheckpoint(dirpath=folder, monitor="val/accuracy", mode="max", save_last=True)
    ends = ModelCheckpoint(dirpath=folder, filename="end-{step}", auto_insert_metric_name=False, save_top_k=-1)
    callbacks = [record, best, ends]
    if save_at:
        callbacks.append(ModelCheckpoint(dirpath=folder, filename="at-{step}", auto_insert_metric_name=False,
                                         every_n_train_steps=save_at, save_top_k=-1))
    limits = {"max_epochs": case.epochs} if case.epochs else {"max_steps": case.steps, "max_epochs": -1}
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        accumulate_grad_batches=case.accumulate, callbacks=callbacks, **limits)
    _, (x, y) = workloads.digits()
    validation = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=BATCH)
    trainer.fit(module, Batches(place(resume) if resume else 0), validation, ckpt_path=resume, weights_only=True)
    return record, trainer
