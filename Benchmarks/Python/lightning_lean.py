"""Steps per second of Lightning's Trainer with logger, progress bar, checkpoints and summary off."""

import logging
import warnings

import lightning
import torch

import common
from common import workloads

warnings.filterwarnings("ignore")
for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero"):
    logging.getLogger(name).setLevel(logging.ERROR)


class Classifier(lightning.LightningModule):
    def __init__(self, workload):
        super().__init__()
        self.workload = workload
        self.model = workloads.make(workload)
        self.clock = common.Clock(workload)
        self.last_loss = None

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.last_loss = torch.nn.functional.cross_entropy(self.model(x), y)
        return self.last_loss

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.clock.tick()

    def configure_optimizers(self):
        return common.WORKLOADS[self.workload].optimizer(self.workload, self.parameters())


def main():
    chosen = common.arguments(__doc__)
    total = common.WORKLOADS[chosen.workload].warmup + chosen.steps
    module = Classifier(chosen.workload)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=total,
        max_epochs=1,
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    trainer.fit(module, common.Batches(chosen.workload, total))
    module.clock.report("lightning-lean", chosen, module.last_loss.item())


if __name__ == "__main__":
    main()
