import Stratagem
import Testing
import Torch

@testable import StratagemCLI

@Suite("What a verb prints and writes")
struct ResultTests {
  private var fit: RunSummary {
    var summary = RunSummary(stage: .fit, metrics: ["val/loss": 0.25, "val/accuracy": 0.9], samples: 297)
    summary.training = RunSummary.Training(steps: 40, seconds: 0.5, totalSteps: 46, epochs: 1)
    summary.processes = 2
    summary.best = ("out/epoch=0-step=46.ckpt", "val/accuracy 0.9")
    summary.checkpoint = "out/last.ckpt"
    summary.metricsFile = "out/metrics.csv"
    return summary
  }

  @Test("a fit as one line of JSON")
  func json() {
    #expect(
      fit.json == """
        {"val/accuracy": 0.9, "val/loss": 0.25, "samples": 297, "seconds": 0.5, "steps_per_second": 80.0, "steps": 46, \
        "epochs": 1, "checkpoint": "out/last.ckpt", "metrics": "out/metrics.csv"}
        """)
  }

  @Test("an evaluation has no steps, a prediction has a file")
  func otherStages() {
    var summary = RunSummary(stage: .validate, metrics: ["val/loss": 0.25], samples: 3)
    summary.seconds = 2
    #expect(summary.json == #"{"val/loss": 0.25, "samples": 3, "seconds": 2.0}"#)
    var prediction = RunSummary(stage: .predict, metrics: [:], samples: 3)
    #expect(prediction.json == #"{"samples": 3, "seconds": 0.0, "predictions": null}"#)
    prediction.predictions = "p.csv"
    #expect(prediction.report() == "predictions  p.csv\n3 samples\n")
  }

  @Test("a fit for people names metrics, files and speed")
  func report() {
    let text = fit.report()
    #expect(text.contains("Validate metric"))
    #expect(text.contains("best checkpoint  out/epoch=0-step=46.ckpt  (val/accuracy 0.9)\n"))
    #expect(text.contains("last checkpoint  out/last.ckpt\n"))
    #expect(text.contains("metrics          out/metrics.csv\n"))
    #expect(text.contains("40 steps in 0.50 s (80.0 steps/s) on 2 processes\n"))
  }

  @Test("predictions are one row per sample, in digits that restore them")
  func predictions() throws {
    #expect(try PredictionTable.csv(Tensor([7, -1, 3])) == "index,prediction\n0,7\n1,-1\n2,3\n")
    #expect(try PredictionTable.csv(Tensor([Float(0.1), 2.5])) == "index,prediction\n0,0.1\n1,2.5\n")
    let pairs = Tensor([1, 2, 3, 4] as [Int64], shape: [2, 2])
    #expect(try PredictionTable.csv(pairs) == "index,prediction_0,prediction_1\n0,1,2\n1,3,4\n")
    #expect(try PredictionTable.csv(Tensor.zeros([0], dtype: .int64)) == "index,prediction\n")
  }
}
