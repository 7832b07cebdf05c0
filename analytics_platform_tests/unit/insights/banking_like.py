"""Texts like those of banking77: labels with five examples each, unseen texts of the labels, and unrelated texts."""

from __future__ import annotations

from analytics_platform.insights.taxonomies.taxonomy import Label

EXAMPLES = {
    "lost_card": (
        "i lost my card somewhere in the city",
        "my card is missing, what should i do",
        "i can't find my debit card anywhere",
        "someone has taken my bank card",
        "please block the card that i lost",
    ),
    "card_delivery": (
        "my new card has not arrived yet",
        "how long does it take to get the card by mail",
        "when will the card that i ordered be delivered",
        "i am still waiting for my card to come",
        "is there a way to track the delivery of my card",
    ),
    "exchange_rate": (
        "what exchange rate do you use for euros",
        "the rate was wrong when i paid in dollars abroad",
        "how do you work out the rate for foreign currency",
        "is the exchange rate better on weekdays",
        "i got a bad rate for my purchase in pounds",
    ),
    "forgotten_pin": (
        "i forgot my pin",
        "how do i change the pin of my card",
        "my pin is blocked after three attempts",
        "i can not remember the four digit code",
        "where can i reset my pin number",
    ),
    "transfer_missing": (
        "the money that i sent has not reached my friend",
        "my transfer is not in the other account",
        "i made a bank transfer and it has not shown up",
        "why is the payment to my landlord still pending",
        "the recipient says that no transfer came through",
    ),
    "top_up_failed": (
        "my top up was declined",
        "i could not add money to my account",
        "topping up with my visa card does not work",
        "the app rejected my top up",
        "why did adding funds fail",
    ),
}
LABELS = [
    Label(label=name, description=name.replace("_", " "), examples=examples) for name, examples in EXAMPLES.items()
]
UNSEEN = {
    "lost_card": (
        "i think i left my card in a taxi",
        "help, my wallet with the card was stolen",
        "my card is gone, can you freeze it",
        "i seem to have misplaced my bank card",
        "where do i report a missing debit card",
        "the card was lost during my holiday",
    ),
    "card_delivery": (
        "it has been two weeks and there is still no card in the mail",
        "has my replacement card been shipped",
        "can you tell me when my card should arrive",
        "how many days until i receive the new card",
        "the card was sent but it never came",
        "i need the delivery date of my card",
    ),
    "exchange_rate": (
        "which rate applies when i pay in yen",
        "how is the currency conversion calculated",
        "do you follow the interbank exchange rate",
        "why was the rate for dollars so bad yesterday",
        "the foreign currency rate looks incorrect",
        "what do i get for euros today",
    ),
    "forgotten_pin": (
        "i do not know my pin any more",
        "i entered the wrong pin too often",
        "please send me a new pin",
        "can the pin be changed in the app",
        "unblock my pin",
        "what happens if i can't remember my pin",
    ),
    "transfer_missing": (
        "i sent money yesterday and it has not arrived",
        "where is my transfer",
        "the payment has not been received by my sister",
        "my bank transfer has not gone through yet",
        "how long until the transfer appears in the account",
        "the money left my account but the recipient has nothing",
    ),
    "top_up_failed": (
        "why was my top up rejected",
        "i tried to put money into the account and it failed",
        "the app does not let me top up",
        "my top up by card did not work",
        "adding money was declined again",
        "i can not load funds with my visa",
    ),
}
RELATED = [text for texts in UNSEEN.values() for text in texts]
UNRELATED = [
    "the mountains were covered in snow",
    "which team won the football match last night",
    "boil the potatoes for twenty minutes",
    "tell me a story about a dragon",
    "my dog likes to sleep on the sofa",
    "who painted the ceiling of the chapel",
    "it will rain in the afternoon",
    "the guitar solo in this song is wonderful",
    "plant the tomatoes in may",
    "how tall is the eiffel tower",
    "she studies biology at the university",
    "the train to the coast was very crowded",
    "this novel has a surprising end",
    "whales are mammals and not fish",
    "turn the lights off in the kitchen",
    "our neighbours are having a barbecue",
]
