#include "grpc/budget.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace towline::grpc {
namespace {

TEST(Budget, WhoHoldsLittleIsNotDisturbedByWhoHoldsMuch) {
  const auto server = std::make_shared<ServerBudget>();
  std::vector<std::shared_ptr<int>> connections;
  std::vector<std::shared_ptr<ConnectionBudget>> budgets;
  for (int i = 0; i < 6; ++i) {
    budgets.push_back(server->of(connections.emplace_back(std::make_shared<int>())));
    budgets.back()->set_known();
  }
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(budgets[i]->change(0, kMaxUnfinishedOfConnection).ok());
  EXPECT_FALSE(budgets[0]->change(0, 1).ok());
  EXPECT_TRUE(budgets[4]->change(0, kUnfinishedShare).ok());
  EXPECT_EQ(budgets[5]->change(0, kUnfinishedShare + 1).code(), Code::kResourceExhausted);
  EXPECT_TRUE(budgets[0]->change(kMaxUnfinishedOfConnection + 1, 0).ok());
  EXPECT_EQ(server->of(connections[5]), budgets[5]);
}

}  // namespace
}  // namespace towline::grpc
