#include "line_table.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string_view>

namespace {

/// A file in memory, as long as the object lives.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    struct stat status;
    if (fstat(descriptor, &status) == 0 && status.st_size > 0) {
      void* start = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (start != MAP_FAILED) bytes_ = {static_cast<const char*>(start), static_cast<size_t>(status.st_size)};
    }
    close(descriptor);
  }
  ~MappedFile() {
    if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

/// Reads numbers and texts, and throws at the end of the bytes.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool atEnd() const { return rest_.empty(); }
  size_t count() const { return rest_.size(); }

  std::string_view take(uint64_t count) {
    if (count > rest_.size()) throw std::out_of_range("line table");
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof(Number)).data(), sizeof(Number));
    return value;
  }

  uint8_t byte() { return number<uint8_t>(); }

  uint64_t offset(bool is64) { return is64 ? number<uint64_t>() : number<uint32_t>(); }

  uint64_t unsignedLEB() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const uint8_t part = byte();
      if (shift < 64) value |= static_cast<uint64_t>(part & 0x7f) << shift;
      if (!(part & 0x80)) return value;
    }
  }

  int64_t signedLEB() {
    uint64_t value = 0;
    int shift = 0;
    uint8_t part;
    do {
      part = byte();
      if (shift < 64) value |= static_cast<uint64_t>(part & 0x7f) << shift;
      shift += 7;
    } while (part & 0x80);
    if (shift < 64 && (part & 0x40)) value |= ~uint64_t{0} << shift;
    return static_cast<int64_t>(value);
  }

  std::string_view text() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) throw std::out_of_range("line table");
    const auto value = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return value;
  }

 private:
  std::string_view rest_;
};

struct Sections {
  std::string_view lines, lineTexts, texts;
};

Sections readSections(std::string_view elf) {
  Sections sections;
  Reader start(elf);
  const auto header = start.number<Elf64_Ehdr>();
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return sections;
  const auto at = [&](uint64_t offset, uint64_t size) {
    if (offset > elf.size() || size > elf.size() - offset) throw std::out_of_range("section");
    return elf.substr(offset, size);
  };
  const auto section = [&](size_t index) {
    return Reader(at(header.e_shoff + index * header.e_shentsize, sizeof(Elf64_Shdr))).number<Elf64_Shdr>();
  };
  const auto names = section(header.e_shstrndx);
  for (size_t index = 0; index < header.e_shnum; ++index) {
    const auto entry = section(index);
    if (entry.sh_type == SHT_NOBITS || (entry.sh_flags & SHF_COMPRESSED)) continue;
    const auto name = Reader(at(names.sh_offset + entry.sh_name, names.sh_size - entry.sh_name)).text();
    const auto bytes = at(entry.sh_offset, entry.sh_size);
    if (name == ".debug_line") sections.lines = bytes;
    if (name == ".debug_line_str") sections.lineTexts = bytes;
    if (name == ".debug_str") sections.texts = bytes;
  }
  return sections;
}

/// A name in the file or folder list of a version 5 table.
struct Entry {
  std::string_view name;
  uint64_t folder = 0;
};

std::vector<Entry> readEntries(Reader& reader, bool is64, const Sections& sections) {
  std::vector<std::pair<uint64_t, uint64_t>> format(reader.byte());
  for (auto& [content, form] : format) {
    content = reader.unsignedLEB();
    form = reader.unsignedLEB();
  }
  std::vector<Entry> entries;
  for (uint64_t left = reader.unsignedLEB(); left > 0; --left) {
    Entry entry;
    for (const auto& [content, form] : format) {
      std::string_view name;
      uint64_t value = 0;
      switch (form) {
        case 0x08: name = reader.text(); break;                                                        // string
        case 0x1f: name = Reader(sections.lineTexts.substr(reader.offset(is64))).text(); break;        // line_strp
        case 0x0e: name = Reader(sections.texts.substr(reader.offset(is64))).text(); break;            // strp
        case 0x0b: value = reader.byte(); break;                                                       // data1
        case 0x05: value = reader.number<uint16_t>(); break;                                           // data2
        case 0x06: value = reader.number<uint32_t>(); break;                                           // data4
        case 0x07: value = reader.number<uint64_t>(); break;                                           // data8
        case 0x0f: value = reader.unsignedLEB(); break;                                                // udata
        case 0x1e: reader.take(16); break;                                                             // data16
        case 0x09: reader.take(reader.unsignedLEB()); break;                                           // block
        default: throw std::invalid_argument("line table");
      }
      if (content == 1) entry.name = name;
      if (content == 2) entry.folder = value;
    }
    entries.push_back(entry);
  }
  return entries;
}

/// Names and numbers at the start of a table.
struct Header {
  uint16_t version = 0;
  uint8_t instructionLength = 0, lineRange = 0, opcodeBase = 0;
  int8_t lineBase = 0;
  std::vector<uint8_t> argumentCounts;
  std::vector<std::string_view> folders;
  std::vector<Entry> files;

  std::string path(uint64_t file) const {
    if (file >= files.size()) return "";
    const auto& entry = files[file];
    if (entry.name.substr(0, 1) == "/" || entry.folder >= folders.size()) return std::string(entry.name);
    return std::string(folders[entry.folder]) + "/" + std::string(entry.name);
  }
};

/// Reads the header and leaves the reader at the statements.
Header readHeader(Reader& unit, bool is64, const Sections& sections) {
  Header header;
  header.version = unit.number<uint16_t>();
  if (header.version < 4 || header.version > 5) throw std::invalid_argument("line table");
  if (header.version == 5) unit.take(2);  // sizes of addresses and segments
  Reader reader(unit.take(unit.offset(is64)));
  header.instructionLength = reader.byte();
  reader.take(2);  // operations in an instruction, whether lines begin statements
  header.lineBase = reader.number<int8_t>();
  header.lineRange = reader.byte();
  header.opcodeBase = reader.byte();
  if (header.lineRange == 0 || header.opcodeBase == 0) throw std::invalid_argument("line table");
  for (int opcode = 1; opcode < header.opcodeBase; ++opcode) header.argumentCounts.push_back(reader.byte());
  if (header.version == 5) {
    for (const auto& folder : readEntries(reader, is64, sections)) header.folders.push_back(folder.name);
    header.files = readEntries(reader, is64, sections);
    return header;
  }
  // Version 4 counts from 1; folder 0 is that of the compilation.
  header.folders.push_back("");
  header.files.push_back({});
  for (auto name = reader.text(); !name.empty(); name = reader.text()) header.folders.push_back(name);
  for (auto name = reader.text(); !name.empty(); name = reader.text()) {
    Entry entry{name, reader.unsignedLEB()};
    reader.unsignedLEB();  // time
    reader.unsignedLEB();  // size
    header.files.push_back(entry);
  }
  return header;
}

struct Row {
  uint64_t address = 0, file = 1, line = 1;
};

/// Runs the statements of a table and calls `use` with every two neighbouring rows.
template <typename Use>
void run(Reader& program, const Header& header, Use use) {
  Row row, previous;
  bool hasPrevious = false;
  const auto emit = [&] {
    if (hasPrevious && previous.address < row.address) use(previous, row.address);
    previous = row;
    hasPrevious = true;
  };
  const auto advance = [&](uint64_t steps) { row.address += steps * header.instructionLength; };
  while (!program.atEnd()) {
    const uint8_t opcode = program.byte();
    if (opcode >= header.opcodeBase) {
      const int adjusted = opcode - header.opcodeBase;
      advance(static_cast<uint64_t>(adjusted / header.lineRange));
      row.line += static_cast<uint64_t>(static_cast<int64_t>(header.lineBase + adjusted % header.lineRange));
      emit();
      continue;
    }
    switch (opcode) {
      case 0: {
        Reader extended(program.take(program.unsignedLEB()));
        if (extended.atEnd()) break;
        const uint8_t kind = extended.byte();
        if (kind == 1) {  // end of sequence
          emit();
          row = Row();
          hasPrevious = false;
        } else if (kind == 2) {
          row.address = extended.count() == 8 ? extended.number<uint64_t>() : extended.number<uint32_t>();
        }
        break;
      }
      case 1: emit(); break;
      case 2: advance(program.unsignedLEB()); break;
      case 3: row.line += static_cast<uint64_t>(program.signedLEB()); break;
      case 4: row.file = program.unsignedLEB(); break;
      case 8: advance(static_cast<uint64_t>((255 - header.opcodeBase) / header.lineRange)); break;
      case 9: row.address += program.number<uint16_t>(); break;
      default:
        for (int count = header.argumentCounts[opcode - 1]; count > 0; --count) program.unsignedLEB();
    }
  }
}

}  // namespace

std::vector<ct::SourceLine> ct::sourceLines(const std::string& path, const std::vector<uint64_t>& addresses) {
  std::vector<SourceLine> found(addresses.size());
  const MappedFile file(path);
  if (file.bytes().empty()) return found;
  const Sections sections = readSections(file.bytes());
  Reader tables(sections.lines);
  while (tables.count() > 4) {
    uint64_t length = tables.number<uint32_t>();
    const bool is64 = length == 0xffffffff;
    if (is64) length = tables.number<uint64_t>();
    Reader unit(tables.take(length));
    try {
      const Header header = readHeader(unit, is64, sections);
      run(unit, header, [&](const Row& row, uint64_t end) {
        for (size_t index = 0; index < addresses.size(); ++index) {
          if (addresses[index] < row.address || addresses[index] >= end || found[index].line != 0) continue;
          found[index] = {header.path(row.file), row.line};
        }
      });
    } catch (const std::exception&) {
      // A table of a form we do not know: the next may be readable.
    }
  }
  return found;
}
