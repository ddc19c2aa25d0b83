#include <dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "contenders.h"

namespace tru::bench {

struct OneDnn::Parts {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::matmul product;
  dnnl::memory inputs, outputs;
  std::vector<dnnl::memory> weights;
};

OneDnn::OneDnn(bool unsigned_inputs, std::int64_t rows, std::int64_t columns, std::int64_t channels,
               int copies)
    : parts_(std::make_unique<Parts>()) {
  using Type = dnnl::memory::data_type;
  using Tag = dnnl::memory::format_tag;
  const Type input_type = unsigned_inputs ? Type::u8 : Type::s8;
  const dnnl::memory::desc inputs({rows, columns}, input_type, Tag::ab);
  const dnnl::memory::desc weights({columns, channels}, Type::s8, Tag::any);  // it packs them
  const dnnl::memory::desc outputs({rows, channels}, Type::f32, Tag::ab);
  dnnl::primitive_attr scales;
  scales.set_output_scales(1 << 1, std::vector<float>(static_cast<std::size_t>(channels), 0.01f));
  const dnnl::matmul::primitive_desc how({inputs, weights, outputs}, scales, parts_->engine);
  parts_->product = dnnl::matmul(how);
  parts_->inputs = dnnl::memory(how.src_desc(), parts_->engine);
  parts_->outputs = dnnl::memory(how.dst_desc(), parts_->engine);
  auto* values = static_cast<std::uint8_t*>(parts_->inputs.get_data_handle());
  for (std::int64_t i = 0; i < rows * columns; ++i) values[i] = static_cast<std::uint8_t>(i % 113);
  for (int i = 0; i < copies; ++i) {
    parts_->weights.emplace_back(how.weights_desc(), parts_->engine);
    auto* bytes = static_cast<std::int8_t*>(parts_->weights.back().get_data_handle());
    const auto count = static_cast<std::int64_t>(how.weights_desc().get_size());
    for (std::int64_t j = 0; j < count; ++j) bytes[j] = static_cast<std::int8_t>(j % 61 - 30);
  }
}

OneDnn::~OneDnn() = default;

void OneDnn::run(int copy) {
  parts_->product.execute(parts_->stream,
                          {{DNNL_ARG_SRC, parts_->inputs},
                           {DNNL_ARG_WEIGHTS, parts_->weights[static_cast<std::size_t>(copy)]},
                           {DNNL_ARG_DST, parts_->outputs}});
  parts_->stream.wait();
}

}  // namespace tru::bench
