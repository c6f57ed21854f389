"""From play money to money: what must be so before an order may go to a real venue."""
