"""Writes checkpoints of Lightning's as fixtures of the test suite: Tests/Reference/Data/lightning-2.6-*.ckpt and .json.

    "$(Scripts/python-env torch==2.13.0 'lightning==2.6.*')" Tests/Interoperability/fixture.py

The model, data and settings are those of the program `training-probe` with the options in the JSON file.
"""

import json
import logging
import tempfile
import warnings
from pathlib import Path

import lightning
import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

OUTPUT = Path(__file__).resolve().parent.parent / "Reference/Data"
SAMPLES, BATCH, EPOCHS = 24, 4, 3
OPTIONS = ["optimizer=adamw", "lr=0.01", "schedule=step", f"train={SAMPLES}", f"batch={BATCH}", f"epochs={EPOCHS}"]

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Probe(pl.LightningModule):
    def __init__(self, learning_rate=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.fc1, self.fc2 = torch.nn.Linear(4, 8), torch.nn.Linear(8, 3)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))

    def training_step(self, batch, index):
        return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val/loss", torch.nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.learning_rate)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)]


class Losses(Callback):
    def __init__(self):
        self.values = []

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        self.values.append(outputs["loss"].item())


def loader(count):
    numbers = [((index * 7919 + 13) % 101) for index in range(4 * count)]
    x = (torch.tensor(numbers, dtype=torch.float32) / 101 - 0.5).view(count, 4)
    y = torch.tensor([index % 3 for index in range(count)])
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=BATCH)


def without(folder, value):
    """The value with another name in the place of this machine's temporary folder."""
    if isinstance(value, str):
        return value.replace(folder, "/checkpoints")
    if isinstance(value, dict):
        return {without(folder, key): without(folder, item) for key, item in value.items()}
    return value


def main():
    pl.seed_everything(1, verbose=False)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        losses = Losses()
        steps = ModelCheckpoint(dirpath=folder, filename="{step}", every_n_train_steps=4, save_top_k=-1)
        ends = ModelCheckpoint(dirpath=folder, filename="end-{step}", monitor="val/loss", save_top_k=-1)
        after = ModelCheckpoint(dirpath=folder, filename="val-{step}", monitor="val/loss", mode="max", save_top_k=-1,
                                save_on_train_epoch_end=False)
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=EPOCHS, logger=False, enable_progress_bar=False, enable_model_summary=False,
            num_sanity_val_steps=0, callbacks=[losses, steps, ends, after])
        trainer.fit(Probe(), loader(SAMPLES), loader(10))
        names = {"step": ("step=8", 8), "epoch": ("end-step=6", 6), "validation": ("val-step=12", 12)}
        for kind, (name, _) in names.items():
            checkpoint = torch.load(Path(folder) / f"{name}.ckpt", weights_only=True)
            checkpoint["callbacks"] = without(folder, checkpoint["callbacks"])
            torch.save(checkpoint, OUTPUT / f"lightning-2.6-{kind}.ckpt")
    description = {
        "lightning": lightning.__version__, "torch": torch.__version__, "options": OPTIONS, "losses": losses.values,
        "files": {f"lightning-2.6-{kind}.ckpt": step for kind, (_, step) in names.items()},
    }
    (OUTPUT / "lightning-2.6.json").write_text(json.dumps(description, indent=1) + "\n")


if __name__ == "__main__":
    main()
