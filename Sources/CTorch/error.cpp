#include <c10/util/Exception.h>
#include <torch/csrc/profiler/unwind/unwind.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "ctorch.h"
#include "ctorch_internal.h"
#include "line_table.h"

namespace {

struct Failure {
  std::string message;
  std::vector<void*> frames;
};

thread_local Failure failure;
thread_local void* scope = nullptr;

bool isForeign(const std::string& library) {
  const std::string file = library.substr(library.rfind('/') + 1);
  for (const char* name : {"libtorch", "libc10", "libswift", "libc.so", "libFoundation", "ld-linux"}) {
    if (file.compare(0, std::strlen(name), name) == 0) return true;
  }
  return false;
}

bool endsWith(const std::string& text, const char* suffix) {
  const size_t length = std::strlen(suffix);
  return text.size() >= length && text.compare(text.size() - length, length, suffix) == 0;
}

/// The source lines of return addresses, in the order of the stack; unknown for those in libraries that are not ours.
std::vector<ct::SourceLine> sourceLines(const std::vector<void*>& stack) {
  std::vector<ct::SourceLine> lines(stack.size());
  std::map<std::string, std::pair<std::vector<size_t>, std::vector<uint64_t>>> libraries;
  for (size_t index = 0; index < stack.size(); ++index) {
    const auto library = torch::unwind::libraryFor(stack[index]);
    if (!library || isForeign(library->first)) continue;
    auto& [indices, addresses] = libraries[library->first];
    indices.push_back(index);
    addresses.push_back(library->second - 1);  // the call comes before the address it returns to
  }
  for (const auto& [path, frames] : libraries) {
    const auto found = ct::sourceLines(path, frames.second);
    for (size_t index = 0; index < found.size(); ++index) lines[frames.first[index]] = found[index];
  }
  return lines;
}

bool locate(
    const std::vector<void*>& stack, const char* library_root, char* file, size_t capacity, intptr_t* line) {
  const std::string root = library_root;
  for (const auto& frame : sourceLines(stack)) {
    if (frame.line == 0 || !endsWith(frame.file, ".swift")) continue;
    if (frame.file.compare(0, root.size(), root) == 0) continue;
    // The text of an expanded macro is in no file.
    if (frame.file.find("@__swiftmacro_") != std::string::npos) continue;
    std::strncpy(file, frame.file.c_str(), capacity - 1);
    file[capacity - 1] = 0;
    *line = static_cast<intptr_t>(frame.line);
    return true;
  }
  return false;
}

}  // namespace

void ct::capture() noexcept {
  try {
    try {
      throw;
    } catch (const c10::Error& error) {
      failure.message = error.what_without_backtrace();
    } catch (const std::exception& error) {
      failure.message = error.what();
    } catch (...) {
      failure.message = "unknown C++ exception";
    }
    failure.frames = torch::unwind::unwind();
  } catch (...) {
    failure.frames.clear();
  }
}

extern "C" {

const char* ct_error_message(void) { return failure.message.c_str(); }

bool ct_error_location(const char* library_root, char* file, size_t capacity, intptr_t* line) {
  try {
    return locate(failure.frames, library_root, file, capacity, line);
  } catch (...) {
    return false;
  }
}

bool ct_call_location(const char* library_root, char* file, size_t capacity, intptr_t* line) {
  try {
    return locate(torch::unwind::unwind(), library_root, file, capacity, line);
  } catch (...) {
    return false;
  }
}

void ct_error_clear(void) {
  failure.message.clear();
  failure.frames.clear();
}

void* ct_scope_get(void) { return scope; }
void ct_scope_set(void* value) { scope = value; }
}
