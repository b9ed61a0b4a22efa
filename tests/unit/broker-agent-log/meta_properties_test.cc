#include "broker-agent/log/meta_properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace regent::storage {
namespace {

using ::testing::HasSubstr;

TEST(MetaProperties, ReadsKafkasFileAndKeepsWhatItDoesNotKnow) {
  const Result<MetaProperties> read = ParseMetaProperties(
      "#\n#Tue Mar 05 12:00:00 UTC 2024\ncluster.id=Vn0cQhBnTVuaqyb1oCDGWA\nversion=0\n"
      "broker.id=2\nsomething.else=7\n",
      "/d/meta.properties");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, (MetaProperties{.cluster_id = "Vn0cQhBnTVuaqyb1oCDGWA",
                                   .broker = BrokerId(2),
                                   .directory_id = "",
                                   .other = {{"something.else", "7"}}}));
}

TEST(MetaProperties, ReadsWhatItWrote) {
  const MetaProperties properties{.cluster_id = "c",
                                  .broker = BrokerId(1),
                                  .directory_id = "d",
                                  .boot_id = "9d9c8a40-65c3-44ba-9c3c-0d6a51b5c9a1",
                                  .other = {{"x", "y=z"}}};
  const Result<MetaProperties> read = ParseMetaProperties(FormatMetaProperties(properties), "f");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, properties);
}

TEST(MetaProperties, RefusesBadContentNamingFileAndValue) {
  struct Case {
    const char* text;
    const char* complaint;
  };
  for (const Case& c :
       {Case{"", "version is ''"}, Case{"version=1\ncluster.id=c\nnode.id=1\n", "version is '1'"},
        Case{"version=0\nbroker.id=1\n", "cluster.id is missing"},
        Case{"version=0\ncluster.id=c\nbroker.id=x\n", "broker.id is 'x'"},
        Case{"version=0\ncluster.id=c\nbroker.id=-1\n", "broker.id is '-1'"},
        Case{"garbage\n", "not key=value"}}) {
    const Result<MetaProperties> read = ParseMetaProperties(c.text, "/d/meta.properties");
    ASSERT_FALSE(read.ok()) << c.text;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(read.error().message, HasSubstr("/d/meta.properties"));
    EXPECT_THAT(read.error().message, HasSubstr(c.complaint));
  }
}

TEST(PartitionMetadata, IsKafkas) {
  const TopicId id = *TopicId::Parse("vGx6I4lUQXKLSQbqGlbJTQ");
  EXPECT_EQ(FormatPartitionMetadata(id), "version: 0\ntopic_id: vGx6I4lUQXKLSQbqGlbJTQ\n");
  EXPECT_EQ(*ParsePartitionMetadata("version: 0\ntopic_id: vGx6I4lUQXKLSQbqGlbJTQ", "f"), id);
  EXPECT_FALSE(ParsePartitionMetadata("version: 0\ntopic_id: short", "f").ok());
  EXPECT_FALSE(ParsePartitionMetadata("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA", "f").ok());
}

}  // namespace
}  // namespace regent::storage
