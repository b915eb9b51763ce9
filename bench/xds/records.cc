#include "bench/xds/records.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

namespace sallyport::bench {
namespace {

constexpr char kPut = 1;
constexpr char kRemove = 2;
constexpr size_t kLengthBytes = 4;
constexpr size_t kHeadBytes = 2 + 2 * kLengthBytes;

[[noreturn]] void Die(const std::string& path, const char* what) {
  std::cerr << path << ": " << what << "\n";
  std::exit(1);
}

void AppendLength(size_t length, std::string* out) {
  for (size_t i = 0; i < kLengthBytes; ++i) {
    out->push_back(static_cast<char>(length >> (8 * i)));
  }
}

size_t LengthAt(const std::string& bytes, size_t at) {
  size_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<size_t>(static_cast<uint8_t>(bytes[at + i]))
              << (8 * i);
  }
  return length;
}

}  // namespace

void WriteRecords(const std::string& path, const std::vector<Record>& records) {
  std::string out;
  for (const Record& record : records) {
    out.push_back(record.remove ? kRemove : kPut);
    out.push_back(static_cast<char>(record.type));
    AppendLength(record.name.size(), &out);
    AppendLength(record.content.size(), &out);
    out += record.name;
    out += record.content;
  }
  std::ofstream file(path, std::ios::binary);
  file << out;
  if (!file.flush()) Die(path, "cannot be written");
}

std::vector<Record> ReadRecords(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Die(path, "cannot be read");
  const std::string bytes((std::istreambuf_iterator<char>(file)),
                          std::istreambuf_iterator<char>());
  std::vector<Record> records;
  for (size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < kHeadBytes) Die(path, "is cut off");
    Record record;
    record.remove = bytes[at] == kRemove;
    const auto type = static_cast<uint8_t>(bytes[at + 1]);
    if ((bytes[at] != kPut && !record.remove) ||
        type >= xds::kNumResourceTypes) {
      Die(path, "has a record that is none");
    }
    record.type = static_cast<xds::ResourceType>(type);
    const size_t name = LengthAt(bytes, at + 2);
    const size_t content = LengthAt(bytes, at + 2 + kLengthBytes);
    at += kHeadBytes;
    if (bytes.size() - at < name + content) Die(path, "is cut off");
    record.name = bytes.substr(at, name);
    record.content = bytes.substr(at + name, content);
    at += name + content;
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace sallyport::bench
