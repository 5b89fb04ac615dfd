// swift-tools-version:6.1
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

// The link that `make setup` makes.
let libtorch = Context.packageDirectory + "/../libtorch"

let package = Package(
  name: "stratagem-benchmarks",
  dependencies: [.package(name: "stratagem", path: "..")],
  targets: [
    // libtorch without Swift, which it finds by the linker options of the package above.
    .target(
      name: "CFloor",
      cxxSettings: [
        .unsafeFlags([
          "-isystem", libtorch + "/include", "-isystem", libtorch + "/include/torch/csrc/api/include",
        ]),
        .define("NDEBUG"),
      ]),
    // What is measured; starts without Foundation, as it need not.
    .executableTarget(
      name: "workload",
      dependencies: [
        "CFloor",
        .product(name: "Torch", package: "stratagem"),
        .product(name: "TorchNN", package: "stratagem"),
        .product(name: "TorchOptim", package: "stratagem"),
        .product(name: "TorchData", package: "stratagem"),
        .product(name: "TorchDistributed", package: "stratagem"),
        .product(name: "Stratagem", package: "stratagem"),
        .product(name: "StratagemLoggers", package: "stratagem"),
      ],
      swiftSettings: strict),
    // Runs it and the Python scripts in turn, and prints the table.
    .executableTarget(name: "benchmarks", swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx20
)
