#include <c10/util/Exception.h>
#include <torch/csrc/profiler/unwind/unwind.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "ctorch.h"
#include "ctorch_internal.h"

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

/// The line tables name files with or without the leading slash.
std::string withoutLeadingSlash(std::string path) {
  path.erase(0, path.find_first_not_of('/'));
  return path;
}

/// One frame at a time: libtorch's reader of line tables gives up on a whole batch when it does not know one of them.
torch::unwind::Frame symbolized(void* address) {
  try {
    return torch::unwind::symbolize({address}, torch::unwind::Mode::fast).at(0);
  } catch (const std::exception&) {
    return {};
  }
}

bool locate(
    const std::vector<void*>& stack, const char* library_root, char* file, size_t capacity, intptr_t* line) {
  const std::string root = withoutLeadingSlash(library_root);
  for (void* address : stack) {
    auto library = torch::unwind::libraryFor(address);
    if (!library || isForeign(library->first)) continue;
    const auto frame = symbolized(address);
    if (frame.lineno == 0 || !endsWith(frame.filename, ".swift")) continue;
    const std::string path = withoutLeadingSlash(frame.filename);
    if (path.compare(0, root.size(), root) == 0) continue;
    if (path.find("@__swiftmacro_") != std::string::npos) continue;  // the text of an expanded macro is in no file
    std::strncpy(file, ("/" + path).c_str(), capacity - 1);
    file[capacity - 1] = 0;
    *line = static_cast<intptr_t>(frame.lineno);
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
