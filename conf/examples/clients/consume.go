// May this key go ahead?  go run consume.go ip:192.0.2.1
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"
)

func main() {
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.PostForm("http://127.0.0.1:14290/consume",
		url.Values{"key": {os.Args[1]}})
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		fmt.Println("allowed")
	} else {
		fmt.Printf("denied, retry after %s s\n", response.Header.Get("Retry-After"))
	}
}
