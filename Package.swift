// swift-tools-version:6.1
import Foundation
import PackageDescription

let libtorch = locateLibtorch()

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "stratagem",
  products: [
    .library(name: "Torch", targets: ["Torch"]),
    .library(name: "TorchNN", targets: ["TorchNN"]),
    .library(name: "TorchOptim", targets: ["TorchOptim"]),
    .library(name: "TorchData", targets: ["TorchData"]),
    .library(name: "TorchDistributed", targets: ["TorchDistributed"]),
    .library(name: "Stratagem", targets: ["Stratagem"]),
    .library(name: "StratagemLoggers", targets: ["StratagemLoggers"]),
    .library(name: "StratagemCLI", targets: ["StratagemCLI"]),
    .executable(name: "stratagem", targets: ["StratagemTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Floor 0: the only C and C++.
    .target(
      name: "CTorch",
      exclude: ["gloo_stubs", "cuda_stubs"],
      cxxSettings: [
        .headerSearchPath("gloo_stubs"),
        .headerSearchPath("cuda_stubs"),
        .headerSearchPath("../../libtorch/include"),
        .headerSearchPath("../../libtorch/include/torch/csrc/api/include"),
        .define("CT_TORCH_LIB", to: "\"\(libtorch)/lib\""),
        .define("NDEBUG"),
      ]),
    .target(name: "CProcess"),
    // Floor 1
    .target(
      name: "Torch",
      dependencies: ["CTorch", .product(name: "OrderedCollections", package: "swift-collections")]),
    // Floor 2
    .target(
      name: "TorchNN",
      dependencies: ["Torch", .product(name: "OrderedCollections", package: "swift-collections")]),
    .target(name: "TorchOptim", dependencies: ["Torch", "TorchNN"]),
    .target(name: "TorchData", dependencies: ["Torch"]),
    .target(name: "TorchDistributed", dependencies: ["CTorch", "Torch"]),
    // Floor 3
    .target(
      name: "Stratagem",
      dependencies: [
        "CProcess", "Torch", "TorchNN", "TorchOptim", "TorchData", "TorchDistributed",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "OrderedCollections", package: "swift-collections"),
      ]),
    // Floor 4
    .target(name: "StratagemLoggers", dependencies: ["Stratagem"]),
    .target(
      name: "StratagemCLI",
      dependencies: [
        "Stratagem", "TorchDistributed", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "OrderedCollections", package: "swift-collections"), .product(name: "Yams", package: "Yams"),
      ]),
    // Floor 5: the tool.
    .executableTarget(
      name: "StratagemTool",
      dependencies: [
        "Stratagem", "Torch", "TorchDistributed", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], path: "Sources/stratagem"),
    // Floor 5: each example is one idea.
    example("digits"),
    example("digits-cnn"),
    example("byte-gpt"),
    .executableTarget(
      name: "custom-strategy",
      dependencies: [
        "StratagemCLI", "Stratagem", "Torch", "TorchNN", "TorchData", "TorchDistributed",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], path: "Examples/custom-strategy", exclude: ["README.md"]),
    // Programs that tests start as processes, and how tests find them.
    .target(
      name: "RunningProcesses", dependencies: ["Stratagem"], path: "Tests/Support/running-processes"),
    .executableTarget(name: "launch-probe", dependencies: ["Stratagem"], path: "Tests/Support/launch-probe"),
    .executableTarget(
      name: "collective-probe", dependencies: ["Stratagem", "Torch", "TorchDistributed", "TorchNN", "TorchOptim"],
      path: "Tests/Support/collective-probe"),
    .executableTarget(
      name: "training-probe", dependencies: ["Stratagem", "StratagemLoggers", "TorchDistributed"],
      path: "Tests/Support/training-probe"),
    // Tests
    .testTarget(name: "TorchTests", dependencies: ["Torch"]),
    .testTarget(name: "TorchNNTests", dependencies: ["Torch", "TorchNN", "TorchOptim"]),
    .testTarget(name: "TorchOptimTests", dependencies: ["Torch", "TorchNN", "TorchOptim"]),
    .testTarget(name: "TorchDataTests", dependencies: ["Torch", "TorchData"]),
    .testTarget(name: "TorchDistributedTests", dependencies: ["Torch", "TorchDistributed", "collective-probe"]),
    .testTarget(name: "LauncherTests", dependencies: ["Stratagem", "launch-probe", "RunningProcesses"]),
    .testTarget(
      name: "StratagemCLITests",
      dependencies: [
        "StratagemCLI", "Stratagem", "Torch", "TorchNN", "TorchOptim", "TorchData", "TorchDistributed",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Torch", "digits", "digits-cnn", "byte-gpt", "custom-strategy", "training-probe", "StratagemTool",
        "RunningProcesses",
      ],
      exclude: ["Golden"]),
    .testTarget(name: "StratagemTests", dependencies: ["Stratagem", "Torch", "TorchDistributed"]),
    .testTarget(
      name: "StratagemLoggersTests", dependencies: ["StratagemLoggers", "Stratagem", "training-probe"],
      exclude: ["Support/read_events.py"]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx20
)

for target in package.targets
where target.type != .plugin && !["CTorch", "CProcess"].contains(target.name) {
  target.swiftSettings = strict
}

/// A program under `Examples/` with its data.
func example(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: [
      "StratagemCLI", "Stratagem", "Torch", "TorchNN", "TorchOptim", "TorchData",
      .product(name: "ArgumentParser", package: "swift-argument-parser"),
    ], path: "Examples/\(name)", exclude: ["README.md"], resources: [.copy("Data")])
}

/// Returns the folder of libtorch and points the ignored link `libtorch` at the package root to it.
///
/// `$LIBTORCH` wins; otherwise the link that `make setup` made; otherwise the newest one in the cache folder.
func locateLibtorch() -> String {
  let files = FileManager.default
  let environment = Context.environment
  let link = Context.packageDirectory + "/libtorch"
  let cache =
    (environment["STRATAGEM_CACHE"] ?? (environment["HOME"] ?? "") + "/.cache/stratagem")
    + "/libtorch"
  var target = try? files.destinationOfSymbolicLink(atPath: link)
  if target.map({ files.fileExists(atPath: $0 + "/include/ATen") }) != true {
    target = files.fileExists(atPath: cache) ? cache : nil
  }
  if let chosen = environment["LIBTORCH"], !chosen.isEmpty { target = absolute(chosen) }
  guard let target, files.fileExists(atPath: target + "/include/ATen") else {
    // Whoever compiles next would only see that a header is missing.
    let place = target ?? cache
    try? FileHandle.standardError.write(
      contentsOf: Data(
        "error: there is no libtorch at \(place); run `Scripts/setup` of this package, or set LIBTORCH\n".utf8))
    return link
  }
  if (try? files.destinationOfSymbolicLink(atPath: link)) != target {
    try? files.removeItem(atPath: link)
    try? files.createSymbolicLink(atPath: link, withDestinationPath: target)
  }
  return link
}

func absolute(_ path: String) -> String {
  path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
}
