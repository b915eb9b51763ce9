#include "config_service/reconcile/reader.h"

namespace sallyport::reconcile {

absl::string_view ParentOfKey(absl::string_view key) {
  const size_t slash = key.rfind('/');
  return slash == absl::string_view::npos ? absl::string_view()
                                          : key.substr(0, slash + 1);
}

absl::StatusOr<std::shared_ptr<const store::Record>> Reader::Get(
    const std::string& key) {
  if (inputs_ != nullptr) inputs_->insert(key);
  const auto found = records_.find(key);
  if (found != records_.end()) return found->second;
  SALLYPORT_ASSIGN_OR_RETURN(store::GetResult got, store_->Get(key, at_));
  std::shared_ptr<const store::Record> record;
  if (got.record.has_value()) {
    record = std::make_shared<const store::Record>(*std::move(got.record));
  }
  records_.emplace(key, record);
  return record;
}

absl::StatusOr<std::shared_ptr<const domain::Deployment>>
Reader::LoadDeployment(const domain::DeploymentName& name) {
  const std::string key = store::KeyOf(name);
  SALLYPORT_ASSIGN_OR_RETURN(const std::shared_ptr<const store::Record> read,
                             Get(key));
  if (read == nullptr) return std::shared_ptr<const domain::Deployment>();
  std::shared_ptr<const void>& kept = decoded_[key];
  if (kept == nullptr) {
    SALLYPORT_ASSIGN_OR_RETURN(const store::BlobDigest digest,
                               store::RoutesOf(name, *read));
    SALLYPORT_ASSIGN_OR_RETURN(const xds::Pieces pieces, Blob(digest));
    std::string routes;
    for (const auto& piece : pieces) routes += *piece;
    SALLYPORT_ASSIGN_OR_RETURN(domain::Deployment decoded,
                               store::Decode(name, *read, routes));
    kept = std::make_shared<const domain::Deployment>(std::move(decoded));
  }
  return std::static_pointer_cast<const domain::Deployment>(kept);
}

absl::StatusOr<std::vector<store::Record>> Reader::List(
    const std::string& prefix) {
  return ListAll(prefix, store::ListRequest::What::kRecords);
}

absl::StatusOr<std::vector<std::string>> Reader::Keys(
    const std::string& prefix) {
  SALLYPORT_ASSIGN_OR_RETURN(
      std::vector<store::Record> records,
      ListAll(prefix, store::ListRequest::What::kKeysOnly));
  std::vector<std::string> keys;
  keys.reserve(records.size());
  for (store::Record& record : records) keys.push_back(std::move(record.key));
  return keys;
}

absl::StatusOr<std::vector<store::Record>> Reader::ListAll(
    const std::string& prefix, store::ListRequest::What what) {
  if (inputs_ != nullptr) inputs_->insert(prefix);
  store::ListRequest request;
  request.prefix = prefix;
  request.limit = store::kMaxPageRecords;
  request.at = at_;
  request.what = what;
  std::vector<store::Record> records;
  while (true) {
    SALLYPORT_ASSIGN_OR_RETURN(store::ListPage page, store_->List(request));
    request.Continue(page);
    for (store::Record& record : page.records) {
      records.push_back(std::move(record));
    }
    if (!page.more) return records;
  }
}

absl::StatusOr<xds::Pieces> Reader::Blob(const store::BlobDigest& digest) {
  SALLYPORT_ASSIGN_OR_RETURN(const std::unique_ptr<store::BlobReader> blob,
                             store_->OpenBlob(digest));
  xds::Pieces pieces;
  while (true) {
    SALLYPORT_ASSIGN_OR_RETURN(std::string piece, blob->Read());
    if (piece.empty()) return pieces;
    pieces.push_back(std::make_shared<const std::string>(std::move(piece)));
  }
}

}  // namespace sallyport::reconcile
