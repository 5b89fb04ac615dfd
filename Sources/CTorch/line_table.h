#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace ct {

/// A place in a source file; `line` 0 when it is not known.
struct SourceLine {
  std::string file;
  uint64_t line = 0;
};

/// Finds the source lines of code addresses by the line tables (DWARF 4 and 5) of a program or library.
///
/// libtorch has such a reader too, but it takes the first file of a table for the only one, and Swift's tables often
/// begin with another. `addresses` are those of the file, not of the memory it is loaded to. Unreadable tables are
/// skipped. All addresses are looked up in one pass.
std::vector<SourceLine> sourceLines(const std::string& path, const std::vector<uint64_t>& addresses);

}  // namespace ct
