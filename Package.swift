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
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  ],
  targets: [
    // Floor 0: the only C and C++.
    .target(
      name: "CTorch",
      exclude: ["gloo_stubs"],
      cxxSettings: [
        .headerSearchPath("gloo_stubs"),
        .headerSearchPath("../../libtorch/include"),
        .headerSearchPath("../../libtorch/include/torch/csrc/api/include"),
        .define("CT_TORCH_LIB", to: "\"\(libtorch)/lib\""),
        .define("NDEBUG"),
      ]),
    .target(name: "CProcess"),
    // Floor 1
    .target(name: "Torch", dependencies: ["CTorch", .product(name: "OrderedCollections", package: "swift-collections")]),
    // Floor 2
    .target(
      name: "TorchNN", dependencies: ["Torch", .product(name: "OrderedCollections", package: "swift-collections")]),
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
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx20
)

for target in package.targets where target.type != .plugin && !["CTorch", "CProcess"].contains(target.name) {
  target.swiftSettings = strict
}

/// Returns the folder of libtorch and points the ignored link `libtorch` at the package root to it.
///
/// `$LIBTORCH` wins; otherwise the link that `make setup` made; otherwise the newest one in the cache folder.
func locateLibtorch() -> String {
  let files = FileManager.default
  let environment = Context.environment
  let link = Context.packageDirectory + "/libtorch"
  let cache = (environment["STRATAGEM_CACHE"] ?? (environment["HOME"] ?? "") + "/.cache/stratagem") + "/libtorch"
  var target = try? files.destinationOfSymbolicLink(atPath: link)
  if let chosen = environment["LIBTORCH"], !chosen.isEmpty { target = chosen }
  if target == nil || !files.fileExists(atPath: target! + "/include/torch/script.h") {
    target = environment["LIBTORCH"] ?? (files.fileExists(atPath: cache) ? cache : target)
  }
  guard let target else { return link }
  if (try? files.destinationOfSymbolicLink(atPath: link)) != target {
    try? files.removeItem(atPath: link)
    try? files.createSymbolicLink(atPath: link, withDestinationPath: target)
  }
  return link
}
