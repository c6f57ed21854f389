@from := '{day}T09:28:00Z', @to := '{day}T10:03:00Z'
