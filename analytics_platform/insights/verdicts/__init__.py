"""How a conversation went for the customer: whether the matter was settled, and how soon an answer is needed."""
