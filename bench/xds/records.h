// Records: what a server of this benchmark is to publish, in a file, so that
// all servers publish the same bytes.
//
// A file is a row of records: one byte 1 (put) or 2 (remove), one byte with the
// type (the value of xds::ResourceType), four bytes with the length of the name
// and four with that of the content, least significant first; name; content,
// which is the serialised resource (nothing for a removal).

#ifndef SALLYPORT_BENCH_XDS_RECORDS_H_
#define SALLYPORT_BENCH_XDS_RECORDS_H_

#include <string>
#include <vector>

#include "config_service/xds/cache/resource.h"

namespace sallyport::bench {

struct Record {
  bool remove = false;
  xds::ResourceType type = xds::ResourceType::kCluster;
  std::string name;
  std::string content;
};

// Both end the program with a message when the file cannot be written or read,
// or is no such file.
void WriteRecords(const std::string& path, const std::vector<Record>& records);
std::vector<Record> ReadRecords(const std::string& path);

}  // namespace sallyport::bench

#endif  // SALLYPORT_BENCH_XDS_RECORDS_H_
