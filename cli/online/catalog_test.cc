#include "cli/online/catalog.h"

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/online/document.h"
#include "gmock/gmock.h"
#include "google/api/resource.pb.h"
#include "gtest/gtest.h"

namespace sallyport::cli::online {
namespace {

using ::testing::HasSubstr;

// The messages that a message is made of.
void AddMessages(const Descriptor* type, std::set<const Descriptor*>& out) {
  if (!out.insert(type).second) return;
  for (int i = 0; i < type->field_count(); ++i) {
    if (type->field(i)->message_type() != nullptr) {
      AddMessages(type->field(i)->message_type(), out);
    }
  }
}

TEST(Catalog, HasEveryResourceOfTheApi) {
  std::set<const Descriptor*> rows;
  std::set<const google::protobuf::FileDescriptor*> files;
  for (const Collection& c : Catalog()) {
    rows.insert(c.message);
    files.insert(c.message->file());
  }
  int resources = 0;
  for (const auto* file : files) {
    for (int i = 0; i < file->message_type_count(); ++i) {
      const Descriptor* message = file->message_type(i);
      if (!message->options().HasExtension(google::api::resource)) continue;
      ++resources;
      EXPECT_EQ(rows.count(message), 1u) << message->full_name();
    }
  }
  EXPECT_EQ(resources, 18);
}

TEST(Catalog, FindsTheMethodsOfEachResource) {
  for (const Collection& c : Catalog()) {
    EXPECT_NE(c.list, nullptr) << c.Form(true);
    if (c.field.empty()) continue;
    EXPECT_NE(c.get, nullptr) << c.Form(true);
    for (const MethodDescriptor* method : {c.create, c.update}) {
      if (method == nullptr) continue;
      EXPECT_NE(ResourceField(*method->input_type(), c), nullptr)
          << method->full_name();
    }
    if (c.create != nullptr && c.update != nullptr) {
      EXPECT_NE(c.remove, nullptr) << c.Form(true);
    }
  }
}

TEST(Catalog, ShowsFieldsThatThereAre) {
  for (const Collection& c : Catalog()) {
    for (const std::string& column : c.columns) {
      const std::string first = column.substr(0, column.find('.'));
      EXPECT_TRUE(c.message->FindFieldByName(first) != nullptr ||
                  c.message->FindOneofByName(first) != nullptr)
          << c.Form(true) << ": " << column;
    }
  }
}

TEST(Catalog, PutsWhatIsNamedBeforeWhatNamesIt) {
  std::map<std::string, size_t> order;
  for (size_t i = 0; i < Catalog().size(); ++i) {
    if (Catalog()[i].field.empty()) continue;
    order[Catalog()[i]
              .message->options()
              .GetExtension(google::api::resource)
              .type()] = i;
  }
  int references = 0;
  for (size_t i = 0; i < Catalog().size(); ++i) {
    std::set<const Descriptor*> parts;
    AddMessages(Catalog()[i].message, parts);
    for (const Descriptor* part : parts) {
      for (int f = 0; f < part->field_count(); ++f) {
        const FieldDescriptor& field = *part->field(f);
        const std::string& type =
            field.options()
                .GetExtension(google::api::resource_reference)
                .type();
        if (type.empty() || IsOutputOnly(field)) continue;
        // A stage is made first, and then a deployment for it.
        if (type == "sallyport.dev/Deployment") continue;
        ++references;
        ASSERT_EQ(order.count(type), 1u) << type;
        EXPECT_LT(order[type], i) << field.full_name();
      }
    }
  }
  EXPECT_GT(references, 8);
}

TEST(Catalog, UnderstandsNamesAndCollections) {
  const auto version = ParseTarget("truststores/p/versions/2");
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->name, "truststores/p/versions/2");
  EXPECT_EQ(version->parent, "truststores/p");
  EXPECT_EQ(version->id, "2");
  const auto nodes = ParseTarget("fleets/-/nodes");
  ASSERT_TRUE(nodes.ok());
  EXPECT_TRUE(nodes->is_collection());
  EXPECT_EQ(nodes->parent, "fleets/-");
  // Words as people write them; ids as they are.
  EXPECT_EQ(ParseTarget("server-certificates/A_b")->name,
            "serverCertificates/A_b");
  EXPECT_EQ(ParseTarget("domain-name/*.example.com")->name,
            "domainNames/*.example.com");
  for (const char* wrong :
       {"", "truststore/", "nothing/x", "truststores/p/x",
        "truststores//versions", "truststores/p/versions/2/x"}) {
    const auto target = ParseTarget(wrong);
    ASSERT_FALSE(target.ok()) << wrong;
    EXPECT_THAT(std::string(target.status().message()),
                HasSubstr("domainNames/DOMAIN_NAME/apiMappings/API_MAPPING"));
  }
}

}  // namespace
}  // namespace sallyport::cli::online
