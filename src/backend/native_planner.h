// What the native back end knows of a checkpoint before it runs it: tokenizer, chat template,
// configuration, and how much this machine has room for.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "model/kv_cache.h"
#include "tensor/device.h"
#include "text/tokenizer.h"
#include "weights/checkpoint.h"
#include "weights/loader.h"

namespace tru::backend {

struct NativeConfig {
  std::string model;             // folder or ORG/NAME
  std::string weights = "auto";  // see weights::parse_weight_format
  std::string device = "auto";
  int threads = 0;               // 0: all cores this process may use
  std::int64_t max_context = 0;  // tokens; 0: what the model allows and half of the memory holds
  std::filesystem::path hub_cache{};  // where ORG/NAME is looked for; empty: the usual folder
  std::filesystem::path mmproj{};     // vision file of a GGUF model; empty: the one beside it
  weights::WeightCacheConfig weight_cache{};  // for `--device cpu`
};

class NativePlanner : public Planner {
 public:
  // Maps the checkpoint and opens the device. Errors: model_invalid, config_invalid,
  // engine_failed.
  static Result<NativePlanner> load(const NativeConfig& config);

  ModelInfo info() const override;
  Result<std::unique_ptr<Prompt>> build_prompt(const std::vector<text::Message>& messages,
                                               const std::vector<MediaShape>& media) const override;

  Result<Estimate> estimate(const Prompt& prompt, const std::vector<MediaShape>& media,
                            std::int64_t max_tokens) override;

  const std::shared_ptr<const weights::Checkpoint>& checkpoint() const { return checkpoint_; }
  const text::Tokenizer& tokenizer() const { return tokenizer_; }
  tensor::Device& device() { return *device_; }
  weights::WeightFormat weight_format() const { return weight_format_; }
  // How the weights of most products are stored: the language model's, and the vision encoder's.
  tensor::MatrixType matrix_type() const;
  tensor::MatrixType vision_matrix_type() const;

 private:
  weights::Dtype dtype_on_disk() const;
  NativePlanner(std::shared_ptr<const weights::Checkpoint> checkpoint, text::Tokenizer tokenizer,
                text::ChatTemplate chat, std::unique_ptr<tensor::Device> device)
      : checkpoint_(std::move(checkpoint)),
        tokenizer_(std::move(tokenizer)),
        chat_(std::move(chat)),
        device_(std::move(device)) {}

  std::shared_ptr<const weights::Checkpoint> checkpoint_;
  text::Tokenizer tokenizer_;
  text::ChatTemplate chat_;
  std::unique_ptr<tensor::Device> device_;
  weights::WeightFormat weight_format_ = weights::WeightFormat::checkpoint;
  std::int64_t max_context_ = 0;
  double gflops_ = 0;  // measured when first needed
};

// The context used when a request needs all of it: what was asked for (0: as much as possible)
// within the model's own limit and half of the device's free memory. Error: config_invalid when
// more was asked for than there is, or less than 256 tokens are left.
Result<std::int64_t> choose_max_context(std::int64_t wanted, std::int64_t model_limit,
                                        const model::KvShape& kv, const tensor::Device& device);

}  // namespace tru::backend
